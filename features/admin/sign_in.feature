@browser
Feature: Signing in
  People sign in with the account that their organisation's sign-in service knows. What they may do
  comes from there: "signin" lets them in, "admin" lets them manage buckets and users.

  Background:
    Given a sign-in provider

  Scenario: Somebody who may sign in
    When I open "/_user" of the write app
    Then the heading is "Backdrop"
    And the page is accessible
    And a picture of the page is kept as "landing"
    When I follow "Sign in"
    Then the heading is "Sign in as a test user"
    When I press "Olive Owner"
    Then I am at "/_user"
    And the heading is "Buckets"
    And the page says "No bucket is granted to you yet"
    And the page does not say "Audit log"
    And the page is accessible
    And a picture of the page is kept as "home-empty"

  Scenario: Somebody who may not
    When I open "/_user" of the write app
    And I follow "Sign in"
    And I press "Norman Nobody"
    Then I am at "/_user/not_authorized"
    And the page says "may not"
    And the page is accessible
    And a picture of the page is kept as "not-authorized"
    When I open "/_user" of the write app
    Then the page says "Sign in"

  Scenario: Somebody who changes their mind
    When I open "/_user" of the write app
    And I follow "Sign in"
    And I follow "Deny"
    Then the page is accessible
    And a picture of the page is kept as "denied"
    When I open "/_user" of the write app
    Then the page says "Sign in"

  Scenario: Signing out
    Given I am signed in as "Olive Owner"
    When I open "/_user" of the write app
    And I follow "Sign out"
    And I open "/_user" of the write app
    Then the page does not say "Sign out"

  Scenario: Ending all of one's sessions
    Given I am signed in as "Olive Owner"
    When I open "/_user" of the write app
    And I follow "Sessions"
    Then the heading is "Your sessions"
    And the page is accessible
    And a picture of the page is kept as "sessions"
    When I press "End all my sessions"
    Then the heading is "You are signed out"
    When I open "/_user" of the write app
    Then the page does not say "Sign out"

  Scenario: An administrator ends the sessions of somebody
    Given I am signed in as "Ann Admin"
    When I open "/_user/users" of the write app
    And I fill in "Address of the person" with "olive@example.org"
    And I press "End all sessions"
    Then the page says "All sessions of olive@example.org are ended."
    When I open "/_user/audit" of the write app
    Then the page says "end sessions"

  Scenario: After signing in, the page that was wanted
    Given a bucket "weather"
    When I open "/_user/buckets/weather?period=day" of the write app
    And I press "Ann Admin"
    Then I am at "/_user/buckets/weather?period=day"
    And the heading is "weather"

  Scenario: A permission that is taken away ends the session at the next look
    Given the setting BACKDROP_SESSION_CHECK_SECONDS is "1"
    And I am signed in as "Olive Owner"
    When the provider takes all permissions from "Olive Owner"
    And I open "/_user" of the write app until it says "You are not allowed to do this"
    And I open "/_user" of the write app
    Then the heading is "Backdrop"

  Scenario: A session that is over
    Given the setting BACKDROP_SESSION_SECONDS is "1"
    And I am signed in as "Ann Admin"
    When the session is over
    And I open "/_user/audit" of the write app
    Then the heading is "Sign in as a test user"

  Scenario: The provider fails
    Given I am signed in as "Olive Owner"
    When the provider fails
    And I open "/_user/sign_in" of the write app
    And I press "Ann Admin"
    Then the heading is "The sign-in service cannot be used just now"
    And the page is accessible
    And a picture of the page is kept as "provider-fails"

  Scenario: A form of another session is refused
    Given a bucket "weather"
    And I am signed in as "Ann Admin"
    When I open "/_user/buckets/weather" of the write app
    And the form token of the page is changed
    And I press "Revoke all tokens"
    Then the heading is "This form is not from your session"
    And the page is accessible
    And a picture of the page is kept as "foreign-form"
    When I post to "/data/weather/records"
      """
      {"_id": "one", "rain": 5}
      """
    Then it is accepted
