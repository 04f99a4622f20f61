Feature: The order of an answer and its length

  Background:
    Given a bucket "licensing" with the records of "licensing.json"

  Scenario Outline: Records by <sort>
    When I read "/licensing?filter_by=online:true&sort_by=<sort>"
    Then the ids in their order are "<ids>"

    Examples:
      | sort                  | ids            |
      | _timestamp:ascending  | l8 l1 l3 l4 l6 |
      | _timestamp:descending | l6 l4 l3 l1 l8 |
      | _id:ascending         | l1 l3 l4 l6 l8 |
      | _id:descending        | l8 l6 l4 l3 l1 |

  Scenario: Records by type, then value: missing and null, numbers, text, booleans
    Given a bucket "mixed" with the records
      | _id | size  |
      | a   | true  |
      | b   | "10"  |
      | c   | 10    |
      | d   | false |
      | e   | -1.5  |
      | f   | 9     |
      | g   | Z     |
      | h   | null  |
    When I read "/mixed?sort_by=size:ascending"
    Then the ids in their order are "h e f c b g d a"
    When I read "/mixed?sort_by=size:descending"
    Then the ids in their order are "a d g b c f e h"

  Scenario: The first records
    When I read "/licensing?sort_by=_id:ascending&limit=3"
    Then the ids in their order are "l1 l2 l3"

  Scenario: A limit of nought means all
    When I read "/licensing?limit=0"
    Then there are 8 rows

  Scenario: A limit beyond what there is
    When I read "/licensing?limit=100"
    Then there are 8 rows

  Scenario Outline: Groups by <sort>
    When I read "/licensing?group_by=authority&collect=fee:sum&sort_by=<sort>"
    Then the values of "authority" in their order are "<authorities>"

    Examples:
      | sort                 | authorities                |
      | authority:ascending  | Camden Hackney Westminster |
      | authority:descending | Westminster Hackney Camden |
      | _count:ascending     | Hackney Camden Westminster |
      | _count:descending    | Camden Westminster Hackney |
      | fee:sum:ascending    | Hackney Camden Westminster |
      | fee:sum:descending   | Westminster Camden Hackney |

  Scenario: Groups with periods can be sorted and limited
    When I read "/licensing?group_by=authority&period=month&start_at=2013-01-01T00:00:00Z&end_at=2013-05-01T00:00:00Z&sort_by=_count:descending&limit=2"
    Then the values of "authority" in their order are "Camden Westminster"

  Scenario: The first groups
    When I read "/licensing?group_by=authority&limit=2"
    Then the values of "authority" in their order are "Camden Hackney"

  Scenario: Groups can be sorted only by what they have
    When I read "/licensing?group_by=authority&sort_by=fee:sum:ascending"
    Then the status is 400
    And I am told about "fee:sum"
