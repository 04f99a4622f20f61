Feature: Whether the app is up and the data is fresh

  Scenario: The app is up
    When I read "/_status"
    Then the answer is
      """
      {"status": "ok", "message": "app is up"}
      """

  Scenario: Without buckets all data is in date
    When I read "/_status/data-sets"
    Then the answer is
      """
      {"status": "ok", "message": "All data_sets are in date", "data_sets": null}
      """

  Scenario: A bucket without records is not out of date
    Given a bucket "foo"
    When I read "/_status/data-sets"
    Then the answer is
      """
      {"status": "ok", "message": "All data_sets are in date", "data_sets": null}
      """

  Scenario: A bucket whose newest record is older than a month is out of date
    Given a bucket "foo" with the records
      | _timestamp           |
      | 2013-01-01T00:00:00Z |
      | 2013-06-01T00:00:00Z |
      | 2013-02-01T00:00:00Z |
    When I read "/_status/data-sets"
    Then the status is 200
    And the answer is
      """
      {"status": "not okay", "message": "1 data-set is out of date", "data_sets": [
        {
          "name": "foo",
          "seconds-out-of-date": "<any>",
          "last-updated": "2013-06-01T00:00:00+00:00",
          "max-age-expected": 2678400
        }
      ]}
      """

  Scenario: Buckets come in the order in which they were made
    Given a bucket "second" with the records of "licensing.json"
    And a bucket "first" with the records of "licensing.json"
    When I read "/_status/data-sets"
    Then the answer is
      """
      {"status": "not okay", "message": "2 data-sets are out of date", "data_sets": [
        {
          "name": "second",
          "seconds-out-of-date": "<any>",
          "last-updated": "2013-04-03T11:00:00+00:00",
          "max-age-expected": 2678400
        },
        {
          "name": "first",
          "seconds-out-of-date": "<any>",
          "last-updated": "2013-04-03T11:00:00+00:00",
          "max-age-expected": 2678400
        }
      ]}
      """

  Scenario: The other address has another key
    Given a bucket "foo" with the records of "licensing.json"
    When I read "/_status/buckets"
    Then the answer is
      """
      {"status": "not okay", "message": "1 data-set is out of date", "buckets": [
        {
          "name": "foo",
          "seconds-out-of-date": "<any>",
          "last-updated": "2013-04-03T11:00:00+00:00",
          "max-age-expected": 2678400
        }
      ]}
      """

  Scenario Outline: A bucket may be <seconds> seconds old
    Given a bucket "foo" with the settings
      | max_age_expected | <seconds> |
    And "foo" holds the records of "licensing.json"
    When I read "/_status/data-sets"
    Then the answer says that it is "<status>"

    Examples:
      | seconds       | status   |
      | 0             | not okay |
      | 1             | not okay |
      | 1000000000000 | ok       |
      | null          | ok       |

  Scenario: A record without a time does not make a bucket fresh or stale
    Given a bucket "foo" with the records
      | size |
      | 1    |
    When I read "/_status/data-sets"
    Then the answer says that it is "ok"

  Scenario: A bucket that is not queryable may be out of date as well
    Given a bucket "foo" with the settings
      | queryable | false |
    And "foo" holds the records of "licensing.json"
    When I read "/_status/data-sets"
    Then the answer says that it is "not okay"
