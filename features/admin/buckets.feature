@browser
Feature: Buckets and their tokens
  Administrators make buckets, hand out tokens, and change or delete what is no longer right.

  Background:
    Given a sign-in provider

  Scenario: The life of a bucket
    Given I am signed in as "Ann Admin"
    When I open "/_user" of the write app
    And I follow "Create a bucket"
    Then the page is accessible
    And a picture of the page is kept as "bucket-new"
    When I fill in "Name" with "1st"
    And I press "Create"
    Then the page says "name must be a bucket name"
    And the page is accessible
    And a picture of the page is kept as "bucket-fault"
    When I fill in "Name" with "weather"
    And I fill in "Data group" with "weather"
    And I fill in "Data type" with "records"
    And I tick "Raw queries allowed"
    And I press "Create"
    Then the heading is "weather is created"
    And the page is accessible
    And a picture of the page is kept as "token"
    When I post to "/weather" with the token on the page
      """
      {"_timestamp": "2015-03-01", "rain": 5}
      """
    Then it is accepted
    When I open "/_user/buckets/weather" of the write app
    Then the page says "2015-03-01T00:00:00+00:00"
    And the page says "1 record"
    And the page is accessible
    And a picture of the page is kept as "bucket"
    When I follow "Change"
    Then the page is accessible
    And a picture of the page is kept as "bucket-change"
    When I fill in "Fields that make the id" with "_timestamp"
    And I press "Save"
    Then I am at "/_user/buckets/weather"
    And the page says "The changes are saved."
    When I follow "Delete"
    Then the page is accessible
    And a picture of the page is kept as "bucket-delete"
    When I fill in "The bucket’s name, to be sure" with "whether"
    And I press "Delete the bucket"
    Then the page says "That is not the bucket's name."
    When I fill in "The bucket’s name, to be sure" with "weather"
    And I press "Delete the bucket"
    Then I am at "/_user"
    And the page says "The bucket is deleted."
    When I open "/_user/buckets/weather" of the write app
    Then the heading is "There is no such page"
    And the page is accessible
    And a picture of the page is kept as "not-found"

  Scenario: The life of a token
    Given a bucket "weather"
    And I am signed in as "Ann Admin"
    When I open "/_user/buckets/weather" of the write app
    And I press "Rotate the token"
    Then the heading is "New token of weather"
    When I post to "/weather" with the token on the page
      """
      {"_id": "new-token"}
      """
    Then it is accepted
    When I post to "/weather"
      """
      {"_id": "old-token"}
      """
    Then it is accepted
    When I open "/_user/buckets/weather" of the write app
    Then the page says "A replaced token is taken until"
    When I press "End replaced tokens now"
    Then the page says "The replaced tokens have ended."
    And the page does not say "A replaced token is taken until"
    When I post to "/weather"
      """
      {"_id": "ended"}
      """
    Then the status is 401
    When I open "/_user/buckets/weather" of the write app
    And I press "Revoke all tokens"
    Then the page says "There is no token"
    When I post to "/weather"
      """
      {"_id": "revoked"}
      """
    Then the status is 401
    And 2 records are stored in "weather"

  Scenario: Somebody who is granted a bucket looks at it and changes nothing
    Given a bucket "weather" with the records of "licensing.json"
    And a bucket "secret"
    And an operator has run "user grant olive@example.org weather"
    And I am signed in as "Olive Owner"
    When I open "/_user" of the write app
    Then the page says "weather"
    And the page does not say "secret"
    And the page is accessible
    And a picture of the page is kept as "home"
    When I follow "weather"
    Then the heading is "weather"
    And the page does not say "Delete"
    And the page does not say "Revoke"
    And the page is accessible
    And a picture of the page is kept as "bucket-owner"
    When I open "/_user/buckets/secret" of the write app
    Then the heading is "There is no such page"
    When I open "/_user/buckets/weather/edit" of the write app
    Then the heading is "You are not allowed to do this"
