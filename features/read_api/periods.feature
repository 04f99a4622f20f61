Feature: Counting records by period

  Background:
    Given a bucket "licensing" with the records of "licensing.json"

  Scenario: Months, of which empty ones are listed too
    When I read "/licensing?period=month&start_at=2013-01-01T00:00:00Z&end_at=2013-05-01T00:00:00Z"
    Then the groups are
      | _start_at  | _end_at    | _count |
      | 2013-01-01 | 2013-02-01 | 3      |
      | 2013-02-01 | 2013-03-01 | 2      |
      | 2013-03-01 | 2013-04-01 | 0      |
      | 2013-04-01 | 2013-05-01 | 2      |

  Scenario: Weeks start on Monday
    When I read "/licensing?period=week&start_at=2013-01-07T00:00:00Z&end_at=2013-01-28T00:00:00Z"
    Then the groups are
      | _start_at  | _end_at    | _count |
      | 2013-01-07 | 2013-01-14 | 2      |
      | 2013-01-14 | 2013-01-21 | 0      |
      | 2013-01-21 | 2013-01-28 | 1      |

  Scenario: Days
    When I read "/licensing?period=day&start_at=2013-04-01T00:00:00Z&end_at=2013-04-04T00:00:00Z"
    Then the groups are
      | _start_at  | _end_at    | _count |
      | 2013-04-01 | 2013-04-02 | 1      |
      | 2013-04-02 | 2013-04-03 | 0      |
      | 2013-04-03 | 2013-04-04 | 1      |

  Scenario: Hours
    When I read "/licensing?period=hour&start_at=2013-01-09T09:00:00Z&end_at=2013-01-09T11:00:00Z"
    Then the groups are
      | _start_at                 | _end_at                   | _count |
      | 2013-01-09T09:00:00+00:00 | 2013-01-09T10:00:00+00:00 | 0      |
      | 2013-01-09T10:00:00+00:00 | 2013-01-09T11:00:00+00:00 | 1      |

  Scenario: Quarters
    When I read "/licensing?period=quarter&start_at=2012-10-01T00:00:00Z&end_at=2013-07-01T00:00:00Z"
    Then the groups are
      | _start_at  | _end_at    | _count |
      | 2012-10-01 | 2013-01-01 | 0      |
      | 2013-01-01 | 2013-04-01 | 5      |
      | 2013-04-01 | 2013-07-01 | 2      |

  Scenario: Years
    When I read "/licensing?period=year&start_at=2012-01-01T00:00:00Z&end_at=2014-01-01T00:00:00Z"
    Then the groups are
      | _start_at  | _end_at    | _count |
      | 2012-01-01 | 2013-01-01 | 0      |
      | 2013-01-01 | 2014-01-01 | 7      |

  Scenario: A span off the boundaries lists whole periods and counts what is inside the span
    When I read "/licensing?period=month&start_at=2013-01-08T00:00:00Z&end_at=2013-02-10T00:00:00Z"
    Then the groups are
      | _start_at  | _end_at    | _count |
      | 2013-01-01 | 2013-02-01 | 2      |
      | 2013-02-01 | 2013-03-01 | 1      |

  Scenario: An inclusive end on a boundary adds no period and no record
    When I read "/licensing?period=month&start_at=2013-03-01T00:00:00Z&end_at=2013-04-01T00:00:00Z&inclusive=true"
    Then the groups are
      | _start_at  | _end_at    | _count |
      | 2013-03-01 | 2013-04-01 | 0      |

  Scenario: An inclusive end within a period counts the record at the end
    When I read "/licensing?period=month&start_at=2013-02-01T00:00:00Z&end_at=2013-02-11T16:45:00Z&inclusive=true"
    Then the groups are
      | _start_at  | _end_at    | _count |
      | 2013-02-01 | 2013-03-01 | 2      |

  Scenario: An inclusive end on a boundary adds no record to a group either
    When I read "/licensing?period=month&group_by=authority&start_at=2013-02-01T00:00:00Z&end_at=2013-04-01T00:00:00Z&inclusive=true"
    Then the values of "authority" in their order are "Camden Westminster"

  Scenario: Groups with the periods of each
    When I read "/licensing?period=month&group_by=authority&start_at=2013-01-01T00:00:00Z&end_at=2013-04-01T00:00:00Z"
    Then the answer is
      """
      {"data": [
        {"authority": "Camden", "_count": 3, "_group_count": 2, "values": [
          {"_start_at": "2013-01-01T00:00:00+00:00", "_end_at": "2013-02-01T00:00:00+00:00", "_count": 2},
          {"_start_at": "2013-02-01T00:00:00+00:00", "_end_at": "2013-03-01T00:00:00+00:00", "_count": 1},
          {"_start_at": "2013-03-01T00:00:00+00:00", "_end_at": "2013-04-01T00:00:00+00:00", "_count": 0}
        ]},
        {"authority": "Westminster", "_count": 2, "_group_count": 2, "values": [
          {"_start_at": "2013-01-01T00:00:00+00:00", "_end_at": "2013-02-01T00:00:00+00:00", "_count": 1},
          {"_start_at": "2013-02-01T00:00:00+00:00", "_end_at": "2013-03-01T00:00:00+00:00", "_count": 1},
          {"_start_at": "2013-03-01T00:00:00+00:00", "_end_at": "2013-04-01T00:00:00+00:00", "_count": 0}
        ]}
      ]}
      """

  Scenario: Combinations of two fields with the periods of each
    When I read "/licensing?period=month&group_by=licence&group_by=status&start_at=2013-04-01T00:00:00Z&end_at=2013-05-01T00:00:00Z"
    Then the answer is
      """
      {"data": [
        {"licence": "skip", "status": "granted", "_count": 2, "_group_count": 1, "values": [
          {"_start_at": "2013-04-01T00:00:00+00:00", "_end_at": "2013-05-01T00:00:00+00:00", "_count": 2}
        ]}
      ]}
      """

  Scenario: A span that ends before it starts has no periods
    When I read "/licensing?period=month&start_at=2013-05-01T00:00:00Z&end_at=2013-01-01T00:00:00Z"
    Then there are 0 rows

  Scenario: Periods follow the UTC time of a record
    Given a bucket "flights" with the records
      | _timestamp                |
      | 2013-04-01T00:30:00+01:00 |
    When I read "/flights?period=month&start_at=2013-03-01T00:00:00Z&end_at=2013-05-01T00:00:00Z"
    Then the groups are
      | _start_at  | _end_at    | _count |
      | 2013-03-01 | 2013-04-01 | 1      |
      | 2013-04-01 | 2013-05-01 | 0      |

  Scenario: A query that would list too many periods is refused
    Given the setting BACKDROP_MAX_ROWS is "3"
    When I read "/licensing?period=day&start_at=2013-01-01T00:00:00Z&end_at=2013-01-05T00:00:00Z"
    Then the status is 400
    And I am told about "4 periods; at most 3"

  Scenario: By default a million periods may be listed
    When I read "/licensing?period=hour&start_at=1800-01-01T00:00:00Z&end_at=2014-01-01T00:00:00Z"
    Then the status is 400
    And I am told about "at most 1000000"

  Scenario: Rows with many fields are fewer
    Given the setting BACKDROP_MAX_ROWS is "8"
    When I read "/licensing?period=day&start_at=2013-01-01T00:00:00Z&end_at=2013-01-09T00:00:00Z&collect=f1:sum&collect=f2:sum&collect=f3:sum&collect=f4:sum"
    Then there are 8 rows
    When I read "/licensing?period=day&start_at=2013-01-01T00:00:00Z&end_at=2013-01-09T00:00:00Z&collect=f1:sum&collect=f2:sum&collect=f3:sum&collect=f4:sum&collect=f5:sum"
    Then the status is 400
    And I am told about "8 periods; at most 4"
