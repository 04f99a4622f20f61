@browser
Feature: From a file to a dashboard
  Four years of weather in Seattle, as the file is found, uploaded by a person who signs in, and read
  by a dashboard.

  Scenario: The monthly mean temperature
    Given a sign-in provider
    And a bucket "weather" with the settings
      | auto_ids | ["date"] |
    And an operator has run "user grant olive@example.org weather"
    And I am signed in as "Olive Owner"
    When I open "/weather/upload" of the write app
    And I choose the file "seattle-weather.csv" for "File"
    And I press "Show me what is in it"
    Then the page says "1,461 rows"
    And a picture of the page is kept as "seattle-preview"
    When I choose "date" for "Which column says when?"
    And I press "Store 1,461 rows"
    Then the page says "1,461 new"
    When I read "/weather?period=month&collect=temp_max:mean&start_at=2012-01-01T00:00:00Z&end_at=2012-04-01T00:00:00Z"
    Then the groups are
      | _start_at  | _end_at    | _count | temp_max:mean     |
      | 2012-01-01 | 2012-02-01 | 31     | 7.054838709677419 |
      | 2012-02-01 | 2012-03-01 | 29     | 9.275862068965518 |
      | 2012-03-01 | 2012-04-01 | 31     | 9.554838709677421 |
