Feature: Emptying buckets and deleting their data

  Background:
    Given a bucket "foo" with the records of "licensing.json"

  Scenario Outline: Emptying <path>
    When I empty "<path>"
    Then the status is 200
    And the answer is
      """
      {"status": "ok", "message": "foo now contains 0 records"}
      """
    And nothing is stored in "foo"

    Examples:
      | path              |
      | /foo              |
      | /data/foo/records |

  Scenario: A bucket that is empty can be emptied
    Given a bucket "bar"
    When I empty "/bar"
    Then it is accepted

  Scenario: Other buckets are not emptied
    Given a bucket "bar" with the records of "licensing.json"
    When I empty "/foo"
    Then 8 records are stored in "bar"

  Scenario: A bucket that was emptied takes records again
    When I empty "/foo"
    And I post to "/foo"
      """
      {"size": 1}
      """
    Then it is accepted
    And 1 record is stored in "foo"

  Scenario: Putting records is refused
    When I put to "/foo"
      """
      [{"size": 1}]
      """
    Then the status is 400
    And I am told "Not implemented: you can only pass an empty JSON list"
    And 8 records are stored in "foo"

  Scenario Outline: Putting <body> empties nothing
    When I put to "/foo"
      """
      <body>
      """
    Then the status is 400
    And 8 records are stored in "foo"

    Examples:
      | body |
      | {}   |
      | null |
      | [    |

  Scenario: A manager deletes a bucket's data
    When a manager deletes the data of "foo"
    Then the status is 200
    And the answer is
      """
      {"status": "ok", "message": "Deleted foo"}
      """
    And nothing is stored in "foo"

  Scenario: The bucket itself stays
    When a manager deletes the data of "foo"
    And I post to "/foo"
      """
      {"size": 1}
      """
    Then it is accepted
    And 1 record is stored in "foo"

  Scenario: Data is deleted once
    When a manager deletes the data of "foo"
    And a manager deletes the data of "foo"
    Then the status is 404

  Scenario: There is no data to delete where nothing was ever stored
    Given a bucket "bar"
    When a manager deletes the data of "bar"
    Then the status is 404

  Scenario: A bucket that was emptied has data to delete
    Given a bucket "bar"
    When I empty "/bar"
    And a manager deletes the data of "bar"
    Then the status is 200

  Scenario: There is no data to delete of a bucket that there is not
    When a manager deletes the data of "bar"
    Then the status is 404
    And I am told "bucket not found"

  Scenario: Without a management token set nobody deletes data
    Given the setting BACKDROP_MANAGEMENT_TOKEN is not set
    When both apps are started again
    And a manager deletes the data of "foo"
    Then the status is 401
    And 8 records are stored in "foo"
