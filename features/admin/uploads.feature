@browser
Feature: Uploading a file
  Whoever is granted a bucket uploads a spreadsheet to it: sees what was understood, stores it whole
  or not at all, and is told in plain words what is wrong with it.

  Background:
    Given a sign-in provider
    And a bucket "weather" with the settings
      | auto_ids | ["_timestamp"] |
    And an operator has run "user grant olive@example.org weather"
    And I am signed in as "Olive Owner"

  Scenario: A good file, twice
    Given a file "rain.csv"
      """
      # from the station on the roof
      _timestamp,rain,sky,comment
      2015-03-01,5,grey,wet
      2015-03-02,0.5,blue,
      """
    When I open "/weather/upload" of the write app
    Then the page is accessible
    And a picture of the page is kept as "upload"
    When I choose the file "rain.csv" for "File"
    And I press "Show me what is in it"
    Then the page says "2 rows, 3 columns. Nothing is stored yet."
    And the page has the table
      | Column       | Found      | Empty |
      | A _timestamp | time (2)   | 0     |
      | B rain       | number (2) | 0     |
      | C sky        | text (2)   | 0     |
    And the page is accessible
    And a picture of the page is kept as "upload-preview"
    And nothing is stored in "weather"
    When I press "Store 2 rows"
    Then the page says "2 new"
    And the page is accessible
    And a picture of the page is kept as "upload-receipt"
    And 2 records are stored in "weather"
    When I open "/weather/upload" of the write app
    And I choose the file "rain.csv" for "File"
    And I press "Show me what is in it"
    And I press "Store 2 rows"
    Then the page says "2 replaced"
    And 2 records are stored in "weather"

  Scenario: A bad file
    Given a file "rain.csv"
      """
      _timestamp,rain
      2015-03-01,5
      2015-02-30,6
      tomorrow,7
      """
    When I open "/weather/upload" of the write app
    And I choose the file "rain.csv" for "File"
    And I press "Show me what is in it"
    Then the page says "2015-02-30"
    And the page says "not a valid date"
    And the page is accessible
    And a picture of the page is kept as "upload-faults"
    And nothing is stored in "weather"
    Given a file "better.csv"
      """
      _timestamp,rain
      2015-03-01,5
      """
    When I choose the file "better.csv" for "Fix the file and choose it again"
    And I press "Show me what is in it"
    And I press "Store 1 row"
    Then the page says "1 new"

  Scenario: A file that is no data
    Given a file "rain.csv"
      """
      %PDF-1.7 is no table
      """
    When I open "/weather/upload" of the write app
    And I choose the file "rain.csv" for "File"
    And I press "Show me what is in it"
    Then the page says "PDF"
    And nothing is stored in "weather"

  Scenario: Lines and rows that are left out
    Given a file "rain.csv"
      """
      sep=;
      # from the station on the roof
      _timestamp;rain
      2015-03-01; 5
      #2015-03-02; 6
      _timestamp;rain
      """
    When I open "/weather/upload" of the write app
    And I choose the file "rain.csv" for "File"
    And I press "Show me what is in it"
    Then the page says "1 row, 2 columns"
    And the page says "2 lines that start with # are left out"
    And the page says "2 “# from the station on the roof” and 5 “#2015-03-02; 6”"
    And the page says "One row repeats the headings and is left out. It is row 6."
    And the page is accessible
    When I press "Store 1 row"
    Then the page says "1 new"
    And the page says "2 lines that start with # are left out"

  Scenario: Numbers and days as people write them
    Given a file "rain.csv"
      """
      _timestamp,visits,opened
      2015-03-01,"1,234",01/02/2015
      2015-03-02,"2,345",02/02/2015
      """
    When I open "/weather/upload" of the write app
    And I choose the file "rain.csv" for "File"
    And I press "Show me what is in it"
    Then the page says "Texts that look like numbers (2, as “1,234”) cannot be added up"
    And the page says "Texts that look like dates (2, as “01/02/2015”) are not read as times"

  Scenario: A title above the table
    Given a file "rain.csv"
      """
      Rain by day,
      ,
      _timestamp,rain
      2015-03-01,5
      """
    When I open "/weather/upload" of the write app
    And I choose the file "rain.csv" for "File"
    And I press "Show me what is in it"
    Then the page says "“Rain by day” looks like a title"
    And the page says "Delete what is above the headings"
    And nothing is stored in "weather"

  Scenario: Quotes that would make one row of two
    Given a file "rain.csv"
      """
      _timestamp,sky
      2015-03-01,"grey
      2015-03-02,blue" again
      """
    When I open "/weather/upload" of the write app
    And I choose the file "rain.csv" for "File"
    And I press "Show me what is in it"
    Then the page says "something follows the quote that closes a cell of this row"
    And nothing is stored in "weather"

  Scenario: A workbook with merged cells
    When I open "/weather/upload" of the write app
    And I choose the file "merged.xlsx" for "File"
    And I press "Show me what is in it"
    Then the page says "There are 2 groups of merged cells"
    And the page says "B2:B3 and B4:B5"

  Scenario: A heading that is longer than the name of a field may be
    Given a file "rain.csv"
      """
      day,rain_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
      2015-03-01,5
      """
    When I open "/weather/upload" of the write app
    And I choose the file "rain.csv" for "File"
    And I press "Show me what is in it"
    Then the page says "has 129 bytes, and a heading has at most 128"
    And nothing is stored in "weather"

  Scenario: A workbook
    When I open "/weather/upload" of the write app
    And I choose the file "weather.xlsx" for "File"
    And I press "Show me what is in it"
    And I press "Store 2 rows"
    Then the page says "2 new"
    And 2 records are stored in "weather"

  Scenario: A workbook with an error in a cell
    When I open "/weather/upload" of the write app
    And I choose the file "errors.xlsx" for "File"
    And I press "Show me what is in it"
    Then the page has the table
      | Sheet | Row | Column       | What is wrong                                                         |
      | Data  | 4   | C "temp_max" | the cell shows the error #N/A Correct the formula, or empty the cell. |
    And nothing is stored in "weather"

  Scenario: A bucket of somebody else
    Given a bucket "secret"
    When I open "/secret/upload" of the write app
    Then the heading is "There is no such page"
