Feature: Who may write

  Background:
    Given a bucket "foo"

  Scenario: Without a token nothing is stored
    When I post to "/foo" without the header "Authorization"
      """
      {"size": 1}
      """
    Then the status is 401
    And the header "WWW-Authenticate" is "bearer"
    And I am told "Expected header of form: Authorization: Bearer <token>"
    And nothing is stored in "foo"

  Scenario Outline: Not the token: <authorization>
    Given a bucket "bar"
    When I post to "/foo" with the header "Authorization: <authorization>"
      """
      {"size": 1}
      """
    Then the status is 401
    And the header "WWW-Authenticate" is "bearer"
    And I am told about "Unauthorized"
    And the answer does not repeat "tok-"
    And nothing is stored in "foo"

    Examples:
      | authorization     |
      | Bearer tok-bar    |
      | Bearer tok-foo2   |
      | Bearer tok-fo     |
      | Bearer TOK-FOO    |
      | bearer tok-foo    |
      | Bearer  tok-foo   |
      | Basic tok-foo     |
      | tok-foo           |
      | Bearer dev-create-endpoint-token |

  Scenario: A bucket without a token takes no writes
    Given a bucket "closed" with the settings
      | bearer_token | null |
    When I post to "/closed" with the header "Authorization: Bearer null"
      """
      {"size": 1}
      """
    Then the status is 401
    And nothing is stored in "closed"

  Scenario: An unknown bucket is told before a wrong token
    When I post to "/bar" with the header "Authorization: Bearer wrong"
      """
      {"size": 1}
      """
    Then the status is 404

  Scenario: A wrong token is told before a wrong body
    When I post to "/foo" with the header "Authorization: Bearer wrong"
      """
      no JSON
      """
    Then the status is 401

  Scenario: A wrong type of body is told before what is in it
    When I post to "/foo" with the header "Content-Type: text/plain"
      """
      {"foo-bar": 1}
      """
    Then I am told "Expected header: Content-type: application/json"

  Scenario: A wrong body is told before an unknown record
    When I change "/data/foo/records/nothing"
      """
      no JSON
      """
    Then I am told about "Error parsing JSON"

  Scenario: The token is needed to empty a bucket
    Given "foo" holds the records
      | size |
      | 1    |
    When I empty "/foo" with the header "Authorization: Bearer wrong"
    Then the status is 401
    And 1 record is stored in "foo"

  Scenario: The token is needed to change a record
    Given "foo" holds the records
      | _id | size |
      | a   | 1    |
    When I change "/data/foo/records/a" with the header "Authorization: Bearer wrong"
      """
      {"size": 2}
      """
    Then the status is 401
    And "foo" now holds
      | _id | size |
      | a   | 1    |

  Scenario: The token is needed to delete a record
    Given "foo" holds the records
      | _id | size |
      | a   | 1    |
    When I delete "/data/foo/records/a" with the header "Authorization: Bearer wrong"
    Then the status is 401
    And 1 record is stored in "foo"

  Scenario: An unknown record is told only to who may write
    When I delete "/data/foo/records/nothing" with the header "Authorization: Bearer wrong"
    Then the status is 401

  Scenario: The bucket's token does not delete its data
    Given "foo" holds the records
      | size |
      | 1    |
    When I delete "/data-sets/foo" with the header "Authorization: Bearer tok-foo"
    Then the status is 401
    And the header "WWW-Authenticate" is "bearer"
    And 1 record is stored in "foo"

  Scenario: Without a token nobody deletes data
    When I send a DELETE of /data-sets/foo to the write app
    Then the status is 401
    And the header "WWW-Authenticate" is "bearer"

  Scenario: An unknown bucket is told before a wrong management token
    When I delete "/data-sets/bar" with the header "Authorization: Bearer wrong"
    Then the status is 404

  Scenario: Reading needs no token
    When I read "/foo"
    Then the status is 200
