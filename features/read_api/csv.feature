Feature: Answers as CSV

  Background:
    Given a bucket "licensing" with the records of "licensing.json"

  Scenario: Groups as CSV, an attachment
    When I read "/licensing?group_by=authority&collect=fee:mean&format=csv"
    Then the status is 200
    And the header "Content-Type" is "text/csv; charset=utf-8"
    And the header "Content-Disposition" is "attachment; filename=export.csv"
    And the rows are
      """
      _count,authority,fee:mean
      3,Camden,25.166666666666668
      2,Hackney,27.5
      3,Westminster,33.333333333333336
      """

  Scenario: Periods as CSV
    When I read "/licensing?period=month&collect=fee:sum&start_at=2013-02-01T00:00:00Z&end_at=2013-04-01T00:00:00Z&format=csv"
    Then the rows are
      """
      _count,_end_at,_start_at,fee:sum
      2,2013-03-01T00:00:00+00:00,2013-02-01T00:00:00+00:00,60
      0,2013-04-01T00:00:00+00:00,2013-03-01T00:00:00+00:00,
      """

  Scenario: Flat rows as CSV, lists as JSON
    When I read "/licensing?flatten=true&group_by=status&collect=licence:set&format=csv"
    Then the rows are
      """
      _count,licence:set,status
      6,"[""busking"",""skip""]",granted
      2,"[""busking""]",refused
      """

  Scenario: Records as CSV have the columns of all of them
    Given a bucket "mixed" with the records
      | _id | _timestamp           | size | done | note       |
      | a   | 2013-03-11T00:00:00Z | 1.5  | true |            |
      | b   |                      | 2    |      | a "b", c   |
      | c   |                      | null |      | été        |
    When I read "/mixed?sort_by=_id:ascending&format=csv"
    Then the CSV has the columns
      | _id | _timestamp                | done | note     | size |
      | a   | 2013-03-11T00:00:00+00:00 | true |          | 1.5  |
      | b   |                           |      | a "b", c | 2    |
      | c   |                           |      | été      |      |

  Scenario: Nothing as CSV is nothing
    When I read "/licensing?filter_by=authority:Leeds&format=csv"
    Then the status is 200
    And the answer is empty

  Scenario: Another format is JSON
    When I read "/licensing?group_by=status&format=xml"
    Then the header "Content-Type" is "application/json"
    And there are 2 rows

  Scenario: Errors stay JSON
    When I read "/licensing?group_by=status&limit=x&format=csv"
    Then the header "Content-Type" is "application/json"
    And I am told "limit must be a positive integer"

  Scenario: An unpublished bucket stays JSON, which has room for the warning
    Given a bucket "draft" with the settings
      | published | false |
    When I read "/draft?format=csv"
    Then the header "Content-Type" is "application/json"
    And there are 0 rows
