Feature: Buckets with a schema

  Scenario: A record that satisfies it
    Given a bucket "foo" with the schema
      """
      {"required": ["size"], "properties": {"size": {"type": "integer"}}}
      """
    When I post to "/foo"
      """
      {"size": 1}
      """
    Then it is accepted

  Scenario: Every violation of every record is told
    Given a bucket "foo" with the schema
      """
      {
        "required": ["kind"],
        "properties": {"size": {"type": "integer"}, "kind": {"enum": ["x", "y"]}}
      }
      """
    When I post to "/foo"
      """
      [{"size": 5.5}, {"kind": "x", "size": 1}, {"kind": "z"}]
      """
    Then the status is 400
    And there are 3 messages
    And nothing is stored in "foo"

  Scenario: A whole number is an integer, however it is spelled
    Given a bucket "foo" with the schema
      """
      {"properties": {"size": {"type": "integer"}}}
      """
    When I post to "/foo"
      """
      [{"size": 5.0}, {"size": 5}]
      """
    Then it is accepted

  Scenario: Schemas are of draft 4
    Given a bucket "foo" with the schema
      """
      {"properties": {"size": {"minimum": 0, "exclusiveMinimum": true}, "kind": {"const": "x"}}}
      """
    When I post to "/foo"
      """
      {"size": 1, "kind": "y"}
      """
    Then it is accepted
    When I post to "/foo"
      """
      {"size": 0}
      """
    Then the status is 400

  Scenario: Unless they name another draft
    Given a bucket "foo" with the schema
      """
      {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "properties": {"size": {"exclusiveMinimum": 0}, "kind": {"const": "x"}}
      }
      """
    When I post to "/foo"
      """
      [{"size": 0}, {"kind": "y"}]
      """
    Then the status is 400
    And there are 2 messages

  Scenario Outline: Formats are checked: <format>
    Given a bucket "foo" with the schema
      """
      {"properties": {"note": {"format": "<format>"}}}
      """
    When I post to "/foo"
      """
      {"note": "<good>"}
      """
    Then it is accepted
    When I post to "/foo"
      """
      {"note": "<bad>"}
      """
    Then the status is 400
    And there is 1 message

    Examples:
      | format    | good                 | bad        |
      | date-time | 2013-03-11T00:00:00Z | yesterday  |
      | email     | pat@example.org      | pat        |
      | ipv4      | 127.0.0.1            | 127.0.0.1000 |
      | uri       | http://example.org/a | not a uri  |

  Scenario: The schema sees a time as it was sent
    Given a bucket "foo" with the schema
      """
      {"properties": {"_timestamp": {"type": "string", "maxLength": 10}}}
      """
    When I post to "/foo"
      """
      {"_timestamp": "2013-03-11"}
      """
    Then it is accepted

  Scenario: The schema sees a record before its id is made
    Given a bucket "foo" with the settings
      | auto_ids | ["kind"]              |
      | schema   | {"required": ["_id"]} |
    When I post to "/foo"
      """
      {"kind": "x"}
      """
    Then the status is 400
    And there is 1 message

  Scenario: Keys that the schema does not allow
    Given a bucket "foo" with the schema
      """
      {"properties": {"size": {}}, "additionalProperties": false}
      """
    When I post to "/foo"
      """
      {"size": 1, "kind": "x"}
      """
    Then the status is 400
    And there is 1 message

  Scenario: A changed record must satisfy the schema as a whole
    Given a bucket "foo" with the schema
      """
      {"required": ["kind"], "properties": {"size": {"type": "integer"}}}
      """
    And "foo" holds the records
      | _id | kind | size |
      | a   | x    | 1    |
    When I change "/data/foo/records/a"
      """
      {"size": 2}
      """
    Then it is accepted
    When I change "/data/foo/records/a"
      """
      {"size": "two"}
      """
    Then the status is 400
    And there is 1 message
    And "foo" now holds
      | _id | kind | size |
      | a   | x    | 2    |

  Scenario: A whole number is an integer also in a record that is changed
    Given a bucket "foo" with the schema
      """
      {"properties": {"size": {"type": "integer"}}}
      """
    When I post to "/foo"
      """
      {"_id": "a", "size": 5.0}
      """
    Then it is accepted
    When I change "/data/foo/records/a"
      """
      {"note": "changed"}
      """
    Then it is accepted
