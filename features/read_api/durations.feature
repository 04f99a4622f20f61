Feature: A number of periods after, before, or until now

  The months of the fixture hold 3, 2, 0 and 2 records, from January 2013.

  Background:
    Given a bucket "licensing" with the records of "licensing.json"

  Scenario: Periods after a start
    When I read "/licensing?period=month&duration=2&start_at=2013-01-01T00:00:00Z"
    Then the groups are
      | _start_at  | _end_at    | _count |
      | 2013-01-01 | 2013-02-01 | 3      |
      | 2013-02-01 | 2013-03-01 | 2      |

  Scenario: Periods before an end
    When I read "/licensing?period=month&duration=2&end_at=2013-03-01T00:00:00Z"
    Then the groups are
      | _start_at  | _end_at    | _count |
      | 2013-01-01 | 2013-02-01 | 3      |
      | 2013-02-01 | 2013-03-01 | 2      |

  Scenario Outline: Periods before now: <count> of a <period>
    When I read "/licensing?period=<period>&duration=<count>"
    Then there are <count> rows

    Examples:
      | period  | count |
      | hour    | 5     |
      | day     | 4     |
      | week    | 3     |
      | month   | 2     |
      | quarter | 2     |
      | year    | 1     |

  Scenario: A window before an end moves back past its empty last periods
    When I read "/licensing?period=month&duration=2&end_at=2013-04-01T00:00:00Z"
    Then the groups are
      | _start_at  | _end_at    | _count |
      | 2013-01-01 | 2013-02-01 | 3      |
      | 2013-02-01 | 2013-03-01 | 2      |

  Scenario: A window after a start moves forward past its empty first periods
    When I read "/licensing?period=month&duration=2&start_at=2013-03-01T00:00:00Z"
    Then the groups are
      | _start_at  | _end_at    | _count |
      | 2013-04-01 | 2013-05-01 | 2      |
      | 2013-05-01 | 2013-06-01 | 0      |

  Scenario: An empty period between two with records moves nothing
    When I read "/licensing?period=month&duration=3&start_at=2013-02-01T00:00:00Z"
    Then the groups are
      | _start_at  | _end_at    | _count |
      | 2013-02-01 | 2013-03-01 | 2      |
      | 2013-03-01 | 2013-04-01 | 0      |
      | 2013-04-01 | 2013-05-01 | 2      |

  Scenario: A window without records stays where it is
    When I read "/licensing?period=month&duration=1&end_at=2013-04-01T00:00:00Z"
    Then the groups are
      | _start_at  | _end_at    | _count |
      | 2013-03-01 | 2013-04-01 | 0      |

  Scenario: Only the records that match decide where the window goes
    When I read "/licensing?period=month&duration=2&end_at=2013-03-01T00:00:00Z&filter_by=licence:skip&filter_by=authority:Camden"
    Then the groups are
      | _start_at  | _end_at    | _count |
      | 2012-12-01 | 2013-01-01 | 0      |
      | 2013-01-01 | 2013-02-01 | 1      |

  Scenario: Groups move together, by the smallest move of any
    When I read "/licensing?period=month&duration=3&group_by=status&end_at=2013-05-01T00:00:00Z"
    Then the answer is
      """
      {"data": [
        {"status": "granted", "_count": 3, "_group_count": 2, "values": [
          {"_start_at": "2013-02-01T00:00:00+00:00", "_end_at": "2013-03-01T00:00:00+00:00", "_count": 1},
          {"_start_at": "2013-03-01T00:00:00+00:00", "_end_at": "2013-04-01T00:00:00+00:00", "_count": 0},
          {"_start_at": "2013-04-01T00:00:00+00:00", "_end_at": "2013-05-01T00:00:00+00:00", "_count": 2}
        ]},
        {"status": "refused", "_count": 1, "_group_count": 1, "values": [
          {"_start_at": "2013-02-01T00:00:00+00:00", "_end_at": "2013-03-01T00:00:00+00:00", "_count": 1},
          {"_start_at": "2013-03-01T00:00:00+00:00", "_end_at": "2013-04-01T00:00:00+00:00", "_count": 0},
          {"_start_at": "2013-04-01T00:00:00+00:00", "_end_at": "2013-05-01T00:00:00+00:00", "_count": 0}
        ]}
      ]}
      """

  Scenario: Groups move where all of them can
    When I read "/licensing?period=month&duration=1&group_by=status&end_at=2013-05-01T00:00:00Z&filter_by=authority:Camden"
    Then there are 0 rows
    When I read "/licensing?period=month&duration=3&group_by=status&end_at=2013-04-01T00:00:00Z&filter_by=authority:Camden"
    Then the answer is
      """
      {"data": [
        {"status": "granted", "_count": 2, "_group_count": 1, "values": [
          {"_start_at": "2012-12-01T00:00:00+00:00", "_end_at": "2013-01-01T00:00:00+00:00", "_count": 0},
          {"_start_at": "2013-01-01T00:00:00+00:00", "_end_at": "2013-02-01T00:00:00+00:00", "_count": 2},
          {"_start_at": "2013-02-01T00:00:00+00:00", "_end_at": "2013-03-01T00:00:00+00:00", "_count": 0}
        ]},
        {"status": "refused", "_count": 1, "_group_count": 1, "values": [
          {"_start_at": "2012-12-01T00:00:00+00:00", "_end_at": "2013-01-01T00:00:00+00:00", "_count": 0},
          {"_start_at": "2013-01-01T00:00:00+00:00", "_end_at": "2013-02-01T00:00:00+00:00", "_count": 0},
          {"_start_at": "2013-02-01T00:00:00+00:00", "_end_at": "2013-03-01T00:00:00+00:00", "_count": 1}
        ]}
      ]}
      """

  Scenario: A flattened window stays where it is
    When I read "/licensing?period=month&duration=2&end_at=2013-04-01T00:00:00Z&flatten=true"
    Then the groups are
      | _start_at  | _end_at    | _count |
      | 2013-02-01 | 2013-03-01 | 2      |
      | 2013-03-01 | 2013-04-01 | 0      |

  Scenario Outline: A time within a period counts from the period's start: <time>
    When I read "/licensing?period=month&duration=1&<time>"
    Then the groups are
      | _start_at  | _end_at    | _count |
      | 2013-02-01 | 2013-03-01 | 2      |

    Examples:
      | time                          |
      | start_at=2013-02-20T12:34:56Z |
      | end_at=2013-03-20T12:34:56Z   |
