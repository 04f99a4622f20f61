Feature: How large a record may be

  Backdrop bounds what a record may take of everybody who looks at it. The bounds are those of docs/operate/limits.md.

  Background:
    Given a bucket "foo"

  Scenario Outline: A record with <just within>
    When I post a record with <just within> to "/foo"
    Then it is accepted
    And 1 record is stored in "foo"

    Examples:
      | just within               |
      | a name of 128 bytes       |
      | a text of 262144 bytes    |
      | an id of 1024 bytes       |
      | 1000 fields               |
      | 3 texts of 262144 bytes   |

  Scenario Outline: A record with <beyond>
    When I post a record with <beyond> to "/foo"
    Then a message says "<message>"
    And there is 1 message
    And the answer has fewer than 500 bytes
    And nothing is stored in "foo"

    Examples:
      | beyond                    | message                                                                           |
      | a name of 129 bytes       | the name of a field has at most 128 bytes                                          |
      | a name of 1000000 bytes   | the name of a field has at most 128 bytes                                          |
      | a text of 262145 bytes    | text is a text of 262145 bytes, and at most 262144 are allowed                     |
      | an id of 1025 bytes       | an _id has at most 1024 bytes                                                      |
      | 1001 fields               | it has 1001 fields besides reserved ones, and at most 1000 are allowed             |
      | 100000 fields             | it has 100000 fields besides reserved ones, and at most 1000 are allowed           |
      | 4 texts of 262144 bytes   | and at most 1048576 are allowed                                                    |
      | 100000 bad keys           | it has 100000 fields besides reserved ones, and at most 1000 are allowed           |

  Scenario: A record grows by changes up to what a record may have
    Given "foo" holds the records
      """
      [{"_id": "a", "kind": "x"}]
      """
    When I change "/data/foo/records/a" to have 999 fields more
    Then it is accepted
    When I change "/data/foo/records/a" to have 1000 fields more
    Then a message says "it has 1001 fields besides reserved ones, and at most 1000 are allowed"
    When I change "/data/foo/records/a" to have 3 texts more of 262144 bytes
    Then it is accepted
    When I change "/data/foo/records/a" to have 4 texts more of 262144 bytes
    Then a message says "bytes as it is stored, and at most 1048576 are allowed"

  Scenario: An id that is made of long values is too long
    Given a bucket "auto" with the settings
      | auto_ids | ["text"] |
    When I post a record with a text of 768 bytes to "/auto"
    Then it is accepted
    When I post a record with a text of 769 bytes to "/auto"
    Then a message says "an _id has at most 1024 bytes"

  Scenario: A dump with a record that is too large is refused, and named
    Given a dump "dump" of a bucket "bar" with a record "large" that has a text of 262145 bytes
    When an operator runs "restore dump"
    Then the command fails with "bar.bson"
    And the command fails with 'the record "large" cannot be stored: text is a text of 262145 bytes'

  Scenario: A dump with a record that is as large as it may be
    Given a dump "dump" of a bucket "bar" with a record "large" that has a text of 262144 bytes
    When an operator runs "restore dump"
    Then 2 records are stored in "bar"
