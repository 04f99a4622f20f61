@browser
Feature: Users, and who did what
  Administrators grant buckets to people, and see in the audit log who did what.

  Background:
    Given a sign-in provider
    And a bucket "weather"

  Scenario: A grant and its end
    Given I am signed in as "Ann Admin"
    When I open "/_user/users" of the write app
    Then the page is accessible
    When I fill in "Email address" with "olive@example.org"
    And I fill in "Bucket" with "whether"
    And I press "Grant"
    Then the page says "there is no bucket"
    And a picture of the page is kept as "users-fault"
    When I fill in "Bucket" with "weather"
    And I press "Grant"
    Then the page says "weather is granted to olive@example.org."
    And the page is accessible
    And a picture of the page is kept as "users"
    When I press "Revoke weather from olive@example.org"
    Then the page says "weather is taken away from olive@example.org."
    When I open "/_user/audit" of the write app
    Then the page says "to olive@example.org"
    And the page says "from olive@example.org"
    And the page says "sign in"
    And the page is accessible
    And a picture of the page is kept as "audit"
    When I choose "grant" for "What"
    And I press "Show"
    Then the page says "to olive@example.org"
    And the page does not say "from olive@example.org"
    When I fill in "Who" with "somebody@example.org"
    And I press "Show"
    Then the page says "There is nothing in the log that fits"

  Scenario: What operators do is in the log as well
    Given an operator has run "bucket token weather"
    And I am signed in as "Ann Admin"
    When I open "/_user/audit?by=operator" of the write app
    Then the page says "make token"
    And the page says "operator"
