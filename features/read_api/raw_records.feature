Feature: Reading records as they were stored

  Background:
    Given a bucket "licensing" with the records of "licensing.json"

  Scenario: All records of a bucket
    When I read "/licensing"
    Then the ids are "l1 l2 l3 l4 l5 l6 l7 l8"

  Scenario: A bucket's second address answers the same
    When I read "/data/licensing/records"
    Then the ids are "l1 l2 l3 l4 l5 l6 l7 l8"

  Scenario: A dated record shows when it was stored and the start of each of its periods
    When I read "/licensing?filter_by=_id:l5"
    Then the answer is
      """
      {"data": [{
        "_id": "l5",
        "_timestamp": "2013-02-11T16:45:00+00:00",
        "authority": "Camden",
        "licence": "busking",
        "status": "refused",
        "fee": 20,
        "online": false,
        "_hour_start_at": "2013-02-11T16:00:00+00:00",
        "_day_start_at": "2013-02-11T00:00:00+00:00",
        "_week_start_at": "2013-02-11T00:00:00+00:00",
        "_month_start_at": "2013-02-01T00:00:00+00:00",
        "_quarter_start_at": "2013-01-01T00:00:00+00:00",
        "_year_start_at": "2013-01-01T00:00:00+00:00",
        "_updated_at": "<any>"
      }]}
      """

  Scenario: A record without a time has no periods
    When I read "/licensing?filter_by=_id:l8"
    Then the answer is
      """
      {"data": [{
        "_id": "l8",
        "authority": "Hackney",
        "licence": "busking",
        "status": "granted",
        "fee": 25,
        "online": true,
        "_updated_at": "<any>"
      }]}
      """

  Scenario: A span has its start and not its end
    When I read "/licensing?start_at=2013-01-09T10:30:00Z&end_at=2013-02-04T08:15:00Z"
    Then the ids are "l2 l3"

  Scenario: An inclusive span has its end too
    When I read "/licensing?start_at=2013-01-09T10:30:00Z&end_at=2013-02-04T08:15:00Z&inclusive=true"
    Then the ids are "l2 l3 l4"

  Scenario: inclusive=false is the default
    When I read "/licensing?start_at=2013-01-09T10:30:00Z&end_at=2013-02-04T08:15:00Z&inclusive=false"
    Then the ids are "l2 l3"

  Scenario Outline: A time may be given with any offset: <start>
    When I read "/licensing?start_at=<start>&end_at=2013-02-05T00:00:00Z"
    Then the ids are "l3 l4"

    Examples:
      | start                         |
      | 2013-01-22T12:00:00Z          |
      | 2013-01-22T12:00:00%2B00:00   |
      | 2013-01-22T13:00:00%2B01:00   |
      | 2013-01-22T13:00:00%2B0100    |
      | 2013-01-22T07:00:00-05:00     |

  Scenario: A span that ends before it starts has nothing
    When I read "/licensing?start_at=2013-02-01T00:00:00Z&end_at=2013-01-01T00:00:00Z"
    Then there are 0 rows

  Scenario: A record without a time is in no span
    When I read "/licensing?start_at=0001-01-01T00:00:00Z&end_at=9999-12-31T00:00:00Z"
    Then the ids are "l1 l2 l3 l4 l5 l6 l7"

  Scenario: The first of a repeated parameter counts
    When I read "/licensing?limit=2&limit=3"
    Then there are 2 rows

  Scenario: A bucket that holds nothing
    Given a bucket "empty"
    When I read "/empty"
    Then the answer is
      """
      {"data": []}
      """
