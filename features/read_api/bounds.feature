Feature: How much a query may ask for

  Background:
    Given a bucket "foo" with the records
      """
      [{"_id": "a", "kind": "x", "size": 1}]
      """

  Scenario Outline: <times> times <parameter>
    When I read "/foo?group_by=kind" with <times> times "<parameter>"
    Then the status is <status>

    Examples:
      | parameter                   | times | status |
      | filter_by=kind:<number>     | 1000  | 200    |
      | filter_by=kind:<number>     | 1001  | 400    |
      | filter_by_prefix=kind:<number> | 1001 | 400   |
      | group_by=kind               | 99    | 200    |
      | group_by=kind               | 100   | 400    |
      | collect=f<number>           | 100   | 200    |
      | collect=f<number>           | 101   | 400    |

  Scenario: What is told of a parameter that is there too often
    When I read "/foo?group_by=kind" with 101 times "collect=f<number>"
    Then I am told "collect can be given at most 100 times in a query"

  Scenario: A name that no field can have
    When I read "/foo?group_by=kind" with 1 times "collect=a_name_that_is_longer_than_the_name_of_any_field_may_be_since_names_are_repeated_in_every_row_of_an_answer_and_it_has_129_bytes_z:sum"
    Then I am told about "collect names a field with 129 bytes, and a name has at most 128"
