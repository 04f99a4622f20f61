@browser
Feature: The sign-in service for development and tests

  Background:
    Given a sign-in provider

  Scenario: Somebody chooses who to be, and may not come in
    When I open "/_user/sign_in" of the write app
    Then the heading is "Sign in as a test user"
    And the page is accessible
    And a picture of the page is kept as "sign-in-service"
    When I press "Norman Nobody"
    Then I am at "/_user/not_authorized"
    And the page is accessible
    And a picture of the page is kept as "not-authorized"

  Scenario: A short session, and a service that fails and works again
    Given the setting BACKDROP_SESSION_SECONDS is "1"
    And I am signed in as "Olive Owner"
    When the session is over
    And the provider fails
    And I sign in as "Olive Owner"
    Then the heading is "The sign-in service cannot be used just now"
    And the page is accessible
    And a picture of the page is kept as "provider-fails"
    When the provider works again
    And I sign in as "Olive Owner"
    Then I am at "/_user"
