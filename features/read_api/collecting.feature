Feature: Collecting values

  Background:
    Given a bucket "licensing" with the records of "licensing.json"

  Scenario: The sum of a field
    When I read "/licensing?group_by=authority&collect=fee:sum"
    Then the groups are
      | authority   | _count | fee:sum |
      | Camden      | 3      | 75.5    |
      | Hackney     | 2      | 55      |
      | Westminster | 3      | 100     |

  Scenario: The mean of a field
    When I read "/licensing?group_by=authority&collect=fee:mean"
    Then the groups are
      | authority   | _count | fee:mean           |
      | Camden      | 3      | 25.166666666666668 |
      | Hackney     | 2      | 27.5               |
      | Westminster | 3      | 33.333333333333336 |

  Scenario: How many values a field has
    When I read "/licensing?group_by=status&collect=fee:count"
    Then the groups are
      | status  | _count | fee:count |
      | granted | 6      | 6         |
      | refused | 2      | 2         |

  Scenario: The different values of a field, in their order
    When I read "/licensing?group_by=authority&collect=fee:set"
    Then the groups are
      | authority   | _count | fee:set    |
      | Camden      | 3      | [20, 35.5] |
      | Hackney     | 2      | [25, 30]   |
      | Westminster | 3      | [20, 40]   |

  Scenario: Without a method the values come under the bare name too
    When I read "/licensing?group_by=status&collect=online"
    Then the groups are
      | status  | _count | online        | online:set    |
      | granted | 6      | [false, true] | [false, true] |
      | refused | 2      | [false, true] | [false, true] |

  Scenario: Several fields and methods at once
    When I read "/licensing?group_by=status&collect=fee:sum&collect=fee:mean&collect=licence:set"
    Then the groups are
      | status  | _count | fee:sum | fee:mean           | licence:set         |
      | granted | 6      | 190.5   | 31.75              | ["busking", "skip"] |
      | refused | 2      | 40      | 20                 | ["busking"]         |

  Scenario: Values of periods, null where a period is empty
    When I read "/licensing?period=month&collect=fee:sum&collect=fee:mean&collect=fee:count&collect=licence&start_at=2013-02-01T00:00:00Z&end_at=2013-04-01T00:00:00Z"
    Then the groups are
      | _start_at  | _end_at    | _count | fee:sum | fee:mean | fee:count | licence             | licence:set         |
      | 2013-02-01 | 2013-03-01 | 2      | 60      | 30       | 2         | ["busking", "skip"] | ["busking", "skip"] |
      | 2013-03-01 | 2013-04-01 | 0      | null    | null     | null      |                     | null                |

  Scenario: Values of groups and of each of their periods
    When I read "/licensing?period=month&group_by=authority&collect=fee:sum&start_at=2013-01-01T00:00:00Z&end_at=2013-04-01T00:00:00Z&filter_by=authority:Camden"
    Then the answer is
      """
      {"data": [{"authority": "Camden", "_count": 3, "_group_count": 2, "fee:sum": 75.5, "values": [
        {"_start_at": "2013-01-01T00:00:00+00:00", "_end_at": "2013-02-01T00:00:00+00:00", "_count": 2, "fee:sum": 55.5},
        {"_start_at": "2013-02-01T00:00:00+00:00", "_end_at": "2013-03-01T00:00:00+00:00", "_count": 1, "fee:sum": 20},
        {"_start_at": "2013-03-01T00:00:00+00:00", "_end_at": "2013-04-01T00:00:00+00:00", "_count": 0, "fee:sum": null}
      ]}]}
      """

  Scenario: Records that lack the field are skipped
    Given a bucket "mixed" with the records
      | kind | size |
      | x    | 4    |
      | x    |      |
      | y    |      |
    When I read "/mixed?group_by=kind&collect=size:sum&collect=size:mean&collect=size:count&collect=size:set"
    Then the groups are
      | kind | _count | size:sum | size:mean | size:count | size:set |
      | x    | 2      | 4        | 4         | 1          | [4]      |
      | y    | 1      | 0        | null      | 0          | []       |

  Scenario: A null counts and is the first of the values
    Given a bucket "mixed" with the records
      | kind | size |
      | x    | 4    |
      | x    | null |
    When I read "/mixed?group_by=kind&collect=size:count&collect=size:set"
    Then the groups are
      | kind | _count | size:count | size:set  |
      | x    | 2      | 2          | [null, 4] |

  Scenario Outline: The <method> of <value> is refused
    Given a bucket "mixed" with the records
      """
      [{"kind": "x", "size": 4}, {"kind": "x", "size": <value>}]
      """
    When I read "/mixed?group_by=kind&collect=size:<method>"
    Then the status is 400
    And I am told "invalid collect function"

    Examples:
      | value  | method |
      | null   | sum    |
      | null   | mean   |
      | "text" | sum    |
      | "5"    | mean   |
      | true   | sum    |
      | false  | mean   |

  Scenario: Values of different types in their order, each once
    Given a bucket "mixed" with the records
      | kind | size |
      | x    | b    |
      | x    | "1"  |
      | x    | 10   |
      | x    | 9.5  |
      | x    | 10.0 |
      | x    | b    |
    When I read "/mixed?group_by=kind&collect=size:set"
    Then the groups are
      | kind | _count | size:set            |
      | x    | 6      | [9.5, 10, "1", "b"] |

  Scenario: Sums of integers are integers, to the last digit
    Given a bucket "mixed" with the records
      | kind | size                |
      | x    | 9007199254740993    |
      | x    | 4611686018427387904 |
    When I read "/mixed?group_by=kind&collect=size:sum"
    Then the groups are
      | kind | _count | size:sum            |
      | x    | 2      | 4620693217682128897 |

  Scenario: A sum past 64 bits is a float
    Given a bucket "mixed" with the records
      | kind | size                |
      | x    | 9223372036854775807 |
      | x    | 9223372036854775807 |
    When I read "/mixed?group_by=kind&collect=size:sum"
    Then the groups are
      | kind | _count | size:sum             |
      | x    | 2      | 18446744073709551614.0 |
