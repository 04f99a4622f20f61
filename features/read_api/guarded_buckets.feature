Feature: Buckets that do not allow raw queries

  What such a bucket answers cannot be traced to single records.

  Background:
    Given a bucket "guarded" with the settings
      | raw_queries_allowed | false |
    And "guarded" holds the records of "licensing.json"

  Scenario Outline: <title>
    When I read "/guarded?<query>"
    Then the status is 400
    And I am told "<message>"

    Examples:
      | title                                  | query                                                                               | message |
      | Records are not shown                  |                                                                                     | querying for raw data is not allowed |
      | Records of a span are not shown        | start_at=2013-01-07T00:00:00Z&end_at=2013-02-04T00:00:00Z                           | querying for raw data is not allowed |
      | A span has 7 days at least             | group_by=kind&start_at=2013-01-07T00:00:00Z&end_at=2013-01-13T00:00:00Z             | The minimum time span for a query is 7 days |
      | A start is midnight                    | group_by=kind&start_at=2013-01-07T01:00:00Z&end_at=2013-02-04T00:00:00Z             | start_at must be midnight |
      | An end is midnight                     | group_by=kind&start_at=2013-01-07T00:00:00Z&end_at=2013-02-04T00:00:01Z             | end_at must be midnight |
      | Midnight is that of UTC                | group_by=kind&start_at=2013-01-07T00:00:00%2B01:00&end_at=2013-02-04T00:00:00Z      | start_at must be midnight |
      | Weeks start on Monday                  | period=week&start_at=2013-01-08T00:00:00Z&end_at=2013-02-04T00:00:00Z               | start_at must be a monday |
      | Weeks end on Monday                    | period=week&start_at=2013-01-07T00:00:00Z&end_at=2013-02-05T00:00:00Z               | end_at must be a monday |
      | Weeks counted from a start are Mondays | period=week&duration=2&start_at=2013-01-08T00:00:00Z                                | start_at must be a monday |
      | Weeks counted to an end are Mondays    | period=week&duration=2&end_at=2013-01-22T00:00:00Z                                  | end_at must be a monday |
      | Months start on the first              | period=month&start_at=2013-01-02T00:00:00Z&end_at=2013-03-01T00:00:00Z              | 'start_at' must be the first of the month for period=month queries |
      | Months end on the first                | period=month&start_at=2013-01-01T00:00:00Z&end_at=2013-03-02T00:00:00Z              | 'end_at' must be the first of the month for period=month queries |
      | Quarters need midnight                 | period=quarter&start_at=2013-01-01T01:00:00Z&end_at=2013-04-01T00:00:00Z            | start_at must be midnight |
      | Years need midnight                    | period=year&start_at=2013-01-01T00:00:00Z&end_at=2014-01-01T01:00:00Z               | end_at must be midnight |
      | Other rules come first                 | limit=x                                                                             | limit must be a positive integer |

  Scenario Outline: <title>
    When I read "/guarded?<query>"
    Then the status is 200

    Examples:
      | title                            | query                                                                      |
      | Groups are shown                 | group_by=authority                                                         |
      | Seven days are enough            | group_by=authority&start_at=2013-01-07T00:00:00Z&end_at=2013-01-14T00:00:00Z |
      | Days of a week                   | period=day&start_at=2013-01-08T00:00:00Z&end_at=2013-01-15T00:00:00Z       |
      | Whole weeks                      | period=week&start_at=2013-01-07T00:00:00Z&end_at=2013-01-21T00:00:00Z      |
      | Whole months                     | period=month&start_at=2013-01-01T00:00:00Z&end_at=2013-02-01T00:00:00Z     |
      | Quarters from any midnight       | period=quarter&start_at=2013-01-02T00:00:00Z&end_at=2013-04-05T00:00:00Z   |
      | Years from any midnight          | period=year&start_at=2013-01-02T00:00:00Z&end_at=2014-02-05T00:00:00Z      |
      | Hours of a short span            | period=hour&start_at=2013-01-07T09:00:00Z&end_at=2013-01-07T11:00:00Z      |
      | A number of hours                | period=hour&duration=2&end_at=2013-01-07T11:00:00Z                         |
      | A few days counted from a start  | period=day&duration=2&start_at=2013-01-07T00:00:00Z                        |
      | A number of weeks before now     | period=week&duration=2                                                     |

  Scenario: Groups of a guarded bucket are those of any bucket
    When I read "/guarded?group_by=status&collect=fee:sum"
    Then the groups are
      | status  | _count | fee:sum |
      | granted | 6      | 190.5   |
      | refused | 2      | 40      |

  Scenario: Raw queries are not allowed unless a bucket says so
    Given a file "buckets.json"
      """
      [{"name": "plain"}]
      """
    When an operator runs "bucket import buckets.json"
    And I read "/plain"
    Then I am told "querying for raw data is not allowed"
