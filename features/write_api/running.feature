Feature: Two programs on one database

  Background:
    Given a bucket "foo"

  Scenario: What one stores the other reads
    When I read "/foo"
    Then there are 0 rows
    When I post to "/foo"
      """
      {"_id": "a"}
      """
    And I read "/foo"
    Then the ids are "a"
    When I delete "/data/foo/records/a"
    And I read "/foo"
    Then there are 0 rows

  Scenario: Records are there after both were started again
    Given "foo" holds the records of "licensing.json"
    When both apps are started again
    Then 8 records are stored in "foo"

  Scenario: Both end when they are told to
    When I read "/foo"
    And I ask the write app for "/_status"
    Then both apps end well when they are told to

  Scenario: Posts at the same time are all stored
    When 60 records are posted to "/foo" at once
    Then 60 posts were answered
    And 60 records are stored in "foo"

  Scenario: Reading goes on while records are posted
    When 60 records are posted to "/foo" at once, and it is read meanwhile
    Then 60 posts were answered

  Scenario: Nothing that was answered is lost when the write app is told to end
    When the write app is told to end while 200 records are posted to "/foo"
    And both apps are started again
    Then every acknowledged record is stored in "foo"

  Scenario: A request is stored whole or not at all when the write app is killed
    When the write app is killed while 40 lists of 50 records are posted to "/foo"
    And both apps are started again
    Then every acknowledged record is stored in "foo"
    And every list of 50 in "foo" is there whole or not at all
