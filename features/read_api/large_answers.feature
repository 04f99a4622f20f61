Feature: Large answers

  Scenario: A large answer of records arrives whole
    Given the setting BACKDROP_ANSWER_BYTES is "0"
    And a bucket "visits"
    When I post 2000 records to "/visits"
    And I read "/visits"
    Then the status is 200
    And there is no header "Content-Length"
    And there are 2000 rows

  Scenario: A small answer says how long it is
    Given the setting BACKDROP_ANSWER_BYTES is "0"
    And a bucket "visits" with the records
      """
      [{"_id": "a"}, {"_id": "b"}]
      """
    When I read "/visits"
    Then there are 2 rows
    And there is a header "Content-Length"

  Scenario: An answer of too many bytes is refused before it is made
    Given the setting BACKDROP_MAX_ANSWER_BYTES is "1000000"
    And a bucket "visits"
    When I read "/visits?period=hour&start_at=2000-01-01T00:00:00Z&end_at=2010-01-01T00:00:00Z"
    Then the status is 400
    And I am told about "bytes; at most 1000000 are given; ask for a shorter span"

  Scenario: An answer of many periods arrives whole
    Given the setting BACKDROP_ANSWER_BYTES is "0"
    And a bucket "visits"
    When I read "/visits?period=hour&start_at=2000-01-01T00:00:00Z&end_at=2002-01-01T00:00:00Z"
    Then the status is 200
    And there are 17544 rows
