Feature: Exploring a bucket as somebody sees it

  @browser
  Scenario: From a form to an answer, and on to its data
    Given a bucket "flights" with the records of "flights.json"
    When I open "/flights" of the read app
    Then the heading is "flights"
    And the page says "Records"
    And the page is accessible
    And a picture of the page is kept as "explorer-records"
    When I choose "month" for "Period"
    And I fill in "From" with "2013-01-01"
    And I fill in "To" with "2013-04-01"
    And I fill in "Group by" with "origin"
    And I fill in "Collect" with "delay:mean"
    And I fill in "Sort by" with ""
    And I fill in "Limit" with ""
    And I press "Show"
    Then I am at "/flights?period=month&start_at=2013-01-01T00:00:00Z&end_at=2013-04-01T00:00:00Z&group_by=origin&collect=delay%3Amean"
    And the field "Group by" is "origin"
    And the field "Period" is "month"
    And the page says "Mean of delay, by origin and month"
    And the page is accessible
    And a picture of the page is kept as "explorer-groups-by-period"
    When I follow "JSON"
    Then the page says "_group_count"

  @browser
  Scenario: Groups as a table and as bars
    Given a bucket "licensing" with the records of "licensing.json"
    When I open "/licensing?group_by=authority" of the read app
    Then the page has the table
      | authority   | _count |
      | Camden      | 3      |
      | Hackney     | 2      |
      | Westminster | 3      |
    And the page is accessible
    And a picture of the page is kept as "explorer-groups"

  @browser
  Scenario: Periods as bars
    Given a bucket "licensing" with the records of "licensing.json"
    When I open "/licensing?period=week&start_at=2013-01-01&end_at=2013-04-01" of the read app
    Then the page says "Number of records, by week"
    And the page is accessible
    And a picture of the page is kept as "explorer-periods"

  @browser
  Scenario: A question that is wrong, and what is not there
    Given a bucket "guarded" with the settings
      | raw_queries_allowed | false |
      | published           | false |
    When I open "/guarded" of the read app
    Then the page says "shows none of them"
    And the page is accessible
    And a picture of the page is kept as "explorer-nothing-asked"
    When I fill in "Number of periods" with "3"
    And I press "More: order, limit, and other filters"
    And I tick "Flat rows"
    And I press "Show"
    Then the page says "If 'duration' is requested (for relative time), 'period' is required"
    And the field "Number of periods" is "3"
    And the field "Flat rows" is "ticked"
    And the page is accessible
    And a picture of the page is kept as "explorer-wrong-question"
    When I follow "Start over"
    Then I am at "/guarded"
    And the page does not say "required"
    When I open "/nothing" of the read app
    Then the heading is "Bucket not found"
    And the page is accessible
    And a picture of the page is kept as "explorer-not-found"
