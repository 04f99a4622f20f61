Feature: Managing users from the command line

  Background:
    Given a bucket "foo"
    And a bucket "bar"
    And a bucket "baz"

  Scenario: Importing users
    Given a file "users.json"
      """
      [
        {"email": "pat@example.org", "buckets": ["foo", "bar"]},
        {"email": "Sam@Example.org", "buckets": []}
      ]
      """
    When an operator runs "user import users.json"
    Then the command shows
      """
      2 users imported
      """
    When an operator runs "user list"
    Then the command shows
      """
      pat@example.org foo bar
      sam@example.org 
      """

  Scenario: Importing from standard input
    When an operator runs "user import -"
      """
      [{"email": "pat@example.org", "buckets": ["foo"]}]
      """
    Then the command shows
      """
      1 user imported
      """

  Scenario: Importing a user again replaces the buckets
    When an operator runs "user grant pat@example.org foo bar"
    And an operator runs "user import -"
      """
      [{"email": "pat@example.org", "buckets": ["baz"]}]
      """
    And an operator runs "user list"
    Then the command shows
      """
      pat@example.org baz
      """

  Scenario: Granting buckets to a new user
    When an operator runs "user grant pat@example.org foo bar"
    And an operator runs "user list"
    Then the command shows
      """
      pat@example.org foo bar
      """

  Scenario: Granting keeps what was granted
    When an operator runs "user grant pat@example.org foo"
    And an operator runs "user grant pat@example.org foo bar"
    And an operator runs "user list"
    Then the command shows
      """
      pat@example.org foo bar
      """

  Scenario: Revoking takes away only what is named
    When an operator runs "user grant pat@example.org foo bar baz"
    And an operator runs "user revoke pat@example.org foo baz"
    And an operator runs "user list"
    Then the command shows
      """
      pat@example.org bar
      """

  Scenario: Revoking from a user that there is not
    When an operator runs "user revoke pat@example.org foo"
    Then the command fails with "pat@example.org"

  Scenario Outline: A bad file stores nothing: <users>
    When an operator runs "user import -"
      """
      <users>
      """
    Then the command fails with "<message>"
    When an operator runs "user list"
    Then the command shows nothing

    Examples:
      | users                                                                              | message |
      | [{"email": "pat@example.org", "buckets": ["foo"]}, {"email": "pat"}]               | pat     |
      | [{"email": "pat@example.org", "buckets": ["9lives"]}]                              | 9lives  |
      | {"email": "pat@example.org"}                                                       | list    |

  Scenario: Granting a bucket that there is not
    When an operator runs "user grant pat@example.org foo other"
    Then the command fails with "other"
    When an operator runs "user list"
    Then the command shows nothing

  Scenario: A bucket that is deleted is granted to nobody
    When an operator runs "user grant pat@example.org foo bar"
    And an operator runs "bucket delete foo"
    And an operator runs "user list"
    Then the command shows
      """
      pat@example.org bar
      """

  Scenario: No email address
    When an operator runs "user grant pat foo"
    Then the command fails with "pat"
