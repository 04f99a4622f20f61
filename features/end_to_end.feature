Feature: Pipelines post, dashboards read

  The fixture has 40 invented departures from three airports in the first three months of 2013, of
  which three were cancelled and have no delay. None left MAN in February.

  Scenario: The average delay by month and origin
    Given a bucket "flights" with the settings
      | data_group | airports   |
      | data_type  | departures |
    When I post the records of "flights.json" to "/data/airports/departures"
    Then it is accepted
    When I read "/data/airports/departures?period=month&group_by=origin&collect=delay:mean&start_at=2013-01-01T00:00:00Z&end_at=2013-04-01T00:00:00Z"
    Then the answer is
      """
      {"data": [
        {"origin": "EDI", "_count": 19, "_group_count": 3, "delay:mean": 8.444444444444445, "values": [
          {"_start_at": "2013-01-01T00:00:00+00:00", "_end_at": "2013-02-01T00:00:00+00:00", "_count": 5, "delay:mean": 8.8},
          {"_start_at": "2013-02-01T00:00:00+00:00", "_end_at": "2013-03-01T00:00:00+00:00", "_count": 9, "delay:mean": 8.375},
          {"_start_at": "2013-03-01T00:00:00+00:00", "_end_at": "2013-04-01T00:00:00+00:00", "_count": 5, "delay:mean": 8.2}
        ]},
        {"origin": "LHR", "_count": 13, "_group_count": 3, "delay:mean": 30.833333333333332, "values": [
          {"_start_at": "2013-01-01T00:00:00+00:00", "_end_at": "2013-02-01T00:00:00+00:00", "_count": 5, "delay:mean": 26.8},
          {"_start_at": "2013-02-01T00:00:00+00:00", "_end_at": "2013-03-01T00:00:00+00:00", "_count": 4, "delay:mean": 31.75},
          {"_start_at": "2013-03-01T00:00:00+00:00", "_end_at": "2013-04-01T00:00:00+00:00", "_count": 4, "delay:mean": 36.333333333333336}
        ]},
        {"origin": "MAN", "_count": 8, "_group_count": 2, "delay:mean": 4.0, "values": [
          {"_start_at": "2013-01-01T00:00:00+00:00", "_end_at": "2013-02-01T00:00:00+00:00", "_count": 4, "delay:mean": -0.3333333333333333},
          {"_start_at": "2013-02-01T00:00:00+00:00", "_end_at": "2013-03-01T00:00:00+00:00", "_count": 0, "delay:mean": null},
          {"_start_at": "2013-03-01T00:00:00+00:00", "_end_at": "2013-04-01T00:00:00+00:00", "_count": 4, "delay:mean": 7.25}
        ]}
      ]}
      """

  Scenario: The same for a spreadsheet
    Given a bucket "flights" with the records of "flights.json"
    When I read "/flights?flatten=true&format=csv&period=month&group_by=origin&collect=delay:mean&start_at=2013-01-01T00:00:00Z&end_at=2013-03-01T00:00:00Z&filter_by_prefix=origin:M"
    Then the rows are
      """
      _count,_end_at,_start_at,delay:mean,origin
      4,2013-02-01T00:00:00+00:00,2013-01-01T00:00:00+00:00,-0.3333333333333333,MAN
      0,2013-03-01T00:00:00+00:00,2013-02-01T00:00:00+00:00,,MAN
      """

  Scenario: The last months of a dashboard that is not told when the data ends
    Given a bucket "flights" with the records of "flights.json"
    When I read "/flights?period=month&duration=3&end_at=2013-05-01T00:00:00Z&collect=delay:sum"
    Then the groups are
      | _start_at  | _end_at    | _count | delay:sum |
      | 2013-01-01 | 2013-02-01 | 14     | 177       |
      | 2013-02-01 | 2013-03-01 | 13     | 194       |
      | 2013-03-01 | 2013-04-01 | 13     | 179       |

  Scenario: The airlines with the most delay
    Given a bucket "flights" with the records of "flights.json"
    When I read "/flights?group_by=carrier&collect=delay:sum&filter_by=cancelled:false&sort_by=delay:sum:descending&limit=2"
    Then the groups are
      | carrier | _count | delay:sum |
      | BA      | 9      | 330       |
      | KL      | 10     | 147       |

  Scenario: A flight that was cancelled after all replaces the record
    Given a bucket "flights" with the settings
      | auto_ids | ["_timestamp", "flight"] |
    And "flights" holds the records of "flights.json"
    When I post to "/flights"
      """
      {"_timestamp": "2013-01-03T11:25:00Z", "flight": "EI107", "carrier": "EI", "origin": "LHR", "destination": "EDI", "cancelled": true}
      """
    Then it is accepted
    And 40 records are stored in "flights"
    When I read "/flights?group_by=cancelled&collect=delay:count"
    Then the groups are
      | cancelled | _count | delay:count |
      | false     | 36     | 36          |
      | true      | 4      | 0           |

  Scenario: A retry changes nothing where ids are made of the records
    Given a bucket "flights" with the settings
      | auto_ids | ["_timestamp", "flight"] |
    When I post the records of "flights.json" to "/flights"
    And I read "/flights?group_by=origin&collect=delay:sum"
    And I post the records of "flights.json" to "/flights"
    Then it is accepted
    When I read "/flights?group_by=origin&collect=delay:sum"
    Then the groups are
      | origin | _count | delay:sum |
      | EDI    | 19     | 152       |
      | LHR    | 13     | 370       |
      | MAN    | 8      | 28        |

  Scenario: A retry doubles the records where they have no ids
    Given a bucket "flights" with the records of "flights.json"
    When I post the records of "flights.json" to "/flights"
    Then 80 records are stored in "flights"

  Scenario: A bad row keeps the whole file out, and the corrected file is taken
    Given a bucket "flights" with the settings
      | auto_ids | ["_timestamp", "flight"] |
    When I post to "/flights"
      """
      [
        {"_timestamp": "2013-01-01T06:00:00Z", "flight": "BA100", "delay": 0},
        {"_timestamp": "2013-01-32T06:00:00Z", "flight": "BA101", "delay": 5}
      ]
      """
    Then the messages are
      | 2013-01-32T06:00:00Z in the _timestamp field is not a valid date |
      | _timestamp is not a valid datetime object                        |
    And nothing is stored in "flights"
    When I post to "/flights"
      """
      [
        {"_timestamp": "2013-01-01T06:00:00Z", "flight": "BA100", "delay": 0},
        {"_timestamp": "2013-01-31T06:00:00Z", "flight": "BA101", "delay": 5}
      ]
      """
    Then it is accepted
    And 2 records are stored in "flights"

  Scenario: A dashboard fetches again only what has changed
    Given a bucket "flights" with the records of "flights.json"
    When I read "/flights?group_by=origin"
    And I read "/flights?group_by=origin" again, knowing the answer
    Then the status is 304
    When I post to "/flights"
      """
      {"_timestamp": "2013-03-30T06:00:00Z", "flight": "BA900", "origin": "GLA"}
      """
    And I read "/flights?group_by=origin" again, knowing the answer
    Then the status is 200
    And the values of "origin" in their order are "EDI GLA LHR MAN"

  Scenario: A new bucket from its making to its first dashboard
    When an operator runs "bucket create flights --data-group airports --data-type departures --auto-ids _timestamp,flight"
    And I post the records of "flights.json" to "/data/airports/departures" with the token that was shown
    Then it is accepted
    When I read "/data/airports/departures"
    Then I am told "querying for raw data is not allowed"
    When I read "/data/airports/departures?period=quarter&start_at=2013-01-01T00:00:00Z&end_at=2013-04-01T00:00:00Z"
    Then the groups are
      | _start_at  | _end_at    | _count |
      | 2013-01-01 | 2013-04-01 | 40     |

  Scenario: A token that leaked is replaced, and the pipeline goes on with the new one
    Given a bucket "flights" with the records of "flights.json"
    When an operator runs "bucket token flights"
    And I post the records of "flights.json" to "/flights"
    Then the status is 401
    And 40 records are stored in "flights"
    When I post the records of "flights.json" to "/flights" with the token that was shown
    Then it is accepted
    And 80 records are stored in "flights"

  Scenario: Data that should not have been posted is deleted, and the right data posted
    Given a bucket "flights" with the records of "licensing.json"
    When a manager deletes the data of "flights"
    Then nothing is stored in "flights"
    When I post the records of "flights.json" to "/flights"
    And I read "/flights?group_by=origin&limit=1"
    Then the groups are
      | origin | _count |
      | EDI    | 19     |

  Scenario: A bucket that an operator deletes is gone for everybody
    Given a bucket "flights" with the records of "flights.json"
    When an operator runs "bucket delete flights"
    And I read "/flights?group_by=origin"
    Then I am told "bucket not found"
    When I post the records of "flights.json" to "/flights"
    Then I am told "bucket not found"

  Scenario: Data goes stale when a pipeline stops
    Given a bucket "flights" with the records of "flights.json"
    When I read "/_status/data-sets"
    Then the answer is
      """
      {"status": "not okay", "message": "1 data-set is out of date", "data_sets": [
        {
          "name": "flights",
          "seconds-out-of-date": "<any>",
          "last-updated": "2013-03-29T06:15:00+00:00",
          "max-age-expected": 2678400
        }
      ]}
      """
