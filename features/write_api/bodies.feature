Feature: The body of a request

  Background:
    Given a bucket "foo"

  Scenario: A compressed body
    When I post compressed to "/foo"
      """
      [{"_id": "a", "note": "été"}]
      """
    Then it is accepted
    And "foo" now holds
      | _id | note |
      | a   | été  |

  Scenario: A compressed body that lost its end
    When I post compressed to "/foo", but the end is lost
      """
      [{"_id": "a", "size": 1}]
      """
    Then the status is 400
    And I am told about "decompressed"
    And nothing is stored in "foo"

  Scenario: A body that is not compressed, though it says so
    When I post to "/foo" with the header "Content-Encoding: gzip"
      """
      {"_id": "a", "size": 1}
      """
    Then the status is 400
    And I am told about "decompressed"
    And nothing is stored in "foo"

  Scenario Outline: Another encoding: <encoding>
    When I post to "/foo" with the header "Content-Encoding: <encoding>"
      """
      {"_id": "a", "size": 1}
      """
    Then the status is 415
    And I am told about "Content-Encoding"
    And nothing is stored in "foo"

    Examples:
      | encoding |
      | br       |
      | deflate  |
      | zstd     |

  Scenario Outline: A body of another type: <type>
    When I post to "/foo" with the header "Content-Type: <type>"
      """
      {"_id": "a", "size": 1}
      """
    Then the status is 400
    And I am told "Expected header: Content-type: application/json"
    And nothing is stored in "foo"

    Examples:
      | type                              |
      | text/plain                        |
      | application/x-www-form-urlencoded |
      | text/json                         |

  Scenario: A body without a type
    When I post to "/foo" without the header "Content-Type"
      """
      {"_id": "a", "size": 1}
      """
    Then the status is 400
    And I am told "Expected header: Content-type: application/json"

  Scenario: A type with a character set
    When I post to "/foo" with the header "Content-Type: application/json; charset=utf-8"
      """
      {"_id": "a", "size": 1}
      """
    Then it is accepted

  Scenario: An empty body
    When I post an empty body to "/foo"
    Then the status is 400
    And I am told "Expected JSON request body but received zero bytes."

  Scenario Outline: No JSON: <body>
    When I post to "/foo"
      """
      <body>
      """
    Then the status is 400
    And I am told about "Error parsing JSON"
    And nothing is stored in "foo"

    Examples:
      | body                   |
      | {"size": 1             |
      | {"size": 1} {}         |
      | {"size": NaN}          |
      | {'size': 1}            |
      | size=1                 |

  Scenario Outline: JSON, but no records: <body>
    When I post to "/foo"
      """
      <body>
      """
    Then the status is 400
    And I am told about "a list of records"
    And nothing is stored in "foo"

    Examples:
      | body          |
      | 5             |
      | null          |
      | "record"      |
      | [{}, 5]       |
      | [[{}]]        |

  Scenario: A body of as many bytes as are allowed
    Given the setting BACKDROP_MAX_BODY_BYTES is "1000"
    When I post a record of 1000 bytes to "/foo"
    Then it is accepted
    And 1 record is stored in "foo"

  Scenario: A body of one byte more
    Given the setting BACKDROP_MAX_BODY_BYTES is "1000"
    When I post a record of 1001 bytes to "/foo"
    Then the status is 413
    And I am told about "1000 bytes"
    And nothing is stored in "foo"

  Scenario: A compressed body of as many bytes as are allowed
    Given the setting BACKDROP_MAX_BODY_BYTES is "1000"
    When I post a compressed record of 1000 bytes to "/foo"
    Then it is accepted

  Scenario: A small body that decompresses to a large one
    Given the setting BACKDROP_MAX_BODY_BYTES is "1000"
    When I post a compressed record of 900000 bytes to "/foo"
    Then the status is 413
    And I am told about "1000 bytes"
    And nothing is stored in "foo"

  Scenario: Ten megabytes are allowed by default
    When I post a list of records of 10485760 bytes to "/foo"
    Then it is accepted

  Scenario: More than ten megabytes are not allowed by default
    When I post a record of 10485761 bytes to "/foo"
    Then the status is 413
    And I am told about "10485760 bytes"

  Scenario: Half of a surrogate pair is no text
    When I post to "/foo"
      """
      {"_id": "a", "text": "\ud800 and more"}
      """
    Then the status is 400
    And I am told about "Error parsing JSON"
    And nothing is stored in "foo"

  Scenario: A form does not change the method of a request
    Given a bucket "bar" with the records
      """
      [{"_id": "a", "size": 1}]
      """
    When I post to "/data/bar/records/a" with the header "Content-Type: application/x-www-form-urlencoded"
      """
      _method=DELETE
      """
    Then the status is 405
    And 1 record is stored in "bar"
