Feature: Counting records by what they have in common

  Background:
    Given a bucket "licensing" with the records of "licensing.json"

  Scenario: One row for each value of a field
    When I read "/licensing?group_by=authority"
    Then the groups are
      | authority   | _count |
      | Camden      | 3      |
      | Hackney     | 2      |
      | Westminster | 3      |

  Scenario: One row for each combination of two fields
    When I read "/licensing?group_by=authority&group_by=status"
    Then the groups are
      | authority   | status  | _count |
      | Camden      | granted | 2      |
      | Camden      | refused | 1      |
      | Hackney     | granted | 2      |
      | Westminster | granted | 2      |
      | Westminster | refused | 1      |

  Scenario: Only the records of a span are counted
    When I read "/licensing?group_by=authority&start_at=2013-02-01T00:00:00Z&end_at=2013-03-01T00:00:00Z"
    Then the groups are
      | authority   | _count |
      | Camden      | 1      |
      | Westminster | 1      |

  Scenario: Numbers come before text, text in the order of its characters
    Given a bucket "mixed" with the records
      | size   |
      | 10     |
      | "10"   |
      | 2      |
      | 2.5    |
      | -1     |
      | b      |
      | B      |
      | été    |
    When I read "/mixed?group_by=size"
    Then the groups are
      | size | _count |
      | -1   | 1      |
      | 2    | 1      |
      | 2.5  | 1      |
      | 10   | 1      |
      | "10" | 1      |
      | B    | 1      |
      | b    | 1      |
      | été  | 1      |

  Scenario: One and one point nought are one value, and true is another
    Given a bucket "mixed" with the records
      | size |
      | 1    |
      | 1.0  |
      | true |
    When I read "/mixed?group_by=size"
    Then the groups are
      | size | _count |
      | 1    | 2      |
      | true | 1      |

  Scenario: Records that lack the field, or have null there, are in no group
    Given a bucket "mixed" with the records
      | kind | size |
      | x    | 1    |
      | null | 2    |
      |      | 3    |
    When I read "/mixed?group_by=kind"
    Then the groups are
      | kind | _count |
      | x    | 1      |

  Scenario: Records that lack one of two fields are in no group
    Given a bucket "mixed" with the records
      | kind | size |
      | x    | 1    |
      | x    |      |
      |      | 3    |
    When I read "/mixed?group_by=kind&group_by=size"
    Then the groups are
      | kind | size | _count |
      | x    | 1    | 1      |

  Scenario: A query that would list too many groups is refused
    Given the setting BACKDROP_MAX_ROWS is "2"
    When I read "/licensing?group_by=authority"
    Then the status is 400
    And I am told about "more than 2 groups"
