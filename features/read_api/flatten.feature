Feature: Flat rows instead of nested ones

  Background:
    Given a bucket "licensing" with the records of "licensing.json"

  Scenario: Groups with periods, by time and then group, with gaps filled
    When I read "/licensing?flatten=true&period=month&group_by=authority&start_at=2013-01-01T00:00:00Z&end_at=2013-04-01T00:00:00Z"
    Then the groups are
      | _start_at  | _end_at    | authority   | _count |
      | 2013-01-01 | 2013-02-01 | Camden      | 2      |
      | 2013-01-01 | 2013-02-01 | Westminster | 1      |
      | 2013-02-01 | 2013-03-01 | Camden      | 1      |
      | 2013-02-01 | 2013-03-01 | Westminster | 1      |
      | 2013-03-01 | 2013-04-01 | Camden      | 0      |
      | 2013-03-01 | 2013-04-01 | Westminster | 0      |

  Scenario: Gaps are filled for every combination of the values seen
    When I read "/licensing?flatten=true&period=month&group_by=licence&group_by=status&start_at=2013-02-01T00:00:00Z&end_at=2013-03-01T00:00:00Z"
    Then the groups are
      | _start_at  | _end_at    | licence | status  | _count |
      | 2013-02-01 | 2013-03-01 | busking | granted | 0      |
      | 2013-02-01 | 2013-03-01 | busking | refused | 1      |
      | 2013-02-01 | 2013-03-01 | skip    | granted | 1      |
      | 2013-02-01 | 2013-03-01 | skip    | refused | 0      |

  Scenario: Collected values are null in a gap
    When I read "/licensing?flatten=true&period=month&group_by=authority&collect=fee:sum&collect=fee&start_at=2013-01-01T00:00:00Z&end_at=2013-03-01T00:00:00Z&filter_by=status:refused"
    Then the groups are
      | _start_at  | _end_at    | authority   | _count | fee:sum | fee  | fee:set |
      | 2013-01-01 | 2013-02-01 | Camden      | 0      | null    |      | null    |
      | 2013-01-01 | 2013-02-01 | Westminster | 1      | 20      | [20] | [20]    |
      | 2013-02-01 | 2013-03-01 | Camden      | 1      | 20      | [20] | [20]    |
      | 2013-02-01 | 2013-03-01 | Westminster | 0      | null    |      | null    |

  Scenario: Sort and limit come after filling
    When I read "/licensing?flatten=true&period=month&group_by=authority&start_at=2013-01-01T00:00:00Z&end_at=2013-04-01T00:00:00Z&sort_by=_count:ascending&limit=3"
    Then the groups are
      | _start_at  | _end_at    | authority   | _count |
      | 2013-03-01 | 2013-04-01 | Camden      | 0      |
      | 2013-03-01 | 2013-04-01 | Westminster | 0      |
      | 2013-01-01 | 2013-02-01 | Westminster | 1      |

  Scenario: Periods alone are flat as they are
    When I read "/licensing?flatten=true&period=month&start_at=2013-02-01T00:00:00Z&end_at=2013-04-01T00:00:00Z"
    Then the groups are
      | _start_at  | _end_at    | _count |
      | 2013-02-01 | 2013-03-01 | 2      |
      | 2013-03-01 | 2013-04-01 | 0      |

  Scenario: Groups alone are flat as they are
    When I read "/licensing?flatten=true&group_by=authority&group_by=status&filter_by=authority:Camden"
    Then the groups are
      | authority | status  | _count |
      | Camden    | granted | 2      |
      | Camden    | refused | 1      |

  Scenario: flatten=false is the default
    When I read "/licensing?flatten=false&period=year&group_by=licence&start_at=2013-01-01T00:00:00Z&end_at=2014-01-01T00:00:00Z&filter_by=licence:skip"
    Then the answer is
      """
      {"data": [{"licence": "skip", "_count": 4, "_group_count": 1, "values": [
        {"_start_at": "2013-01-01T00:00:00+00:00", "_end_at": "2014-01-01T00:00:00+00:00", "_count": 4}
      ]}]}
      """

  Scenario: Records are flat as they are
    When I read "/licensing?flatten=true&filter_by=authority:Hackney"
    Then the ids are "l6 l8"
