Feature: Posting records

  Background:
    Given a bucket "foo"

  Scenario Outline: One record, to <path>
    When I post to "<path>"
      """
      {"_id": "a", "_timestamp": "2013-03-11T00:00:00Z", "kind": "x", "size": 1.5, "done": false, "note": null}
      """
    Then the status is 200
    And the answer is
      """
      {"status": "ok"}
      """
    And "foo" now holds
      | _id | _timestamp | kind | size | done  | note |
      | a   | 2013-03-11 | x    | 1.5  | false | null |

    Examples:
      | path              |
      | /foo              |
      | /data/foo/records |

  Scenario: A list of records
    When I post to "/foo"
      """
      [{"_id": "a", "size": 1}, {"_id": "b", "size": 2}]
      """
    Then it is accepted
    And "foo" now holds
      | _id | size |
      | a   | 1    |
      | b   | 2    |

  Scenario: An empty list stores nothing and is accepted
    When I post to "/foo"
      """
      []
      """
    Then it is accepted
    And nothing is stored in "foo"

  Scenario: A record without keys
    When I post to "/foo"
      """
      {}
      """
    Then it is accepted
    And 1 record is stored in "foo"

  # With larger transactions beside others, the MongoDB server for tests waits for itself now and then.
  Scenario: Thousands of records in one request
    When I post 2000 records to "/foo"
    Then it is accepted
    And 2000 records are stored in "foo"

  Scenario: Integers come back to the last digit
    When I post to "/foo"
      """
      [{"size": 9223372036854775807}, {"size": -9223372036854775808}, {"size": 9007199254740993}]
      """
    Then it is accepted
    And "foo" now holds
      | size                 |
      | 9223372036854775807  |
      | -9223372036854775808 |
      | 9007199254740993     |

  Scenario: Text comes back as it was sent
    When I post to "/foo"
      """
      {"note": "été \u0000 \" \\ \ud83d\ude80 \n"}
      """
    And I read "/foo"
    Then the answer is
      """
      {"data": [{"_id": "<any>", "_updated_at": "<any>", "note": "été \u0000 \" \\ \ud83d\ude80 \n"}]}
      """

  Scenario: Keys may be of upper and lower case, and are different ones
    When I post to "/foo"
      """
      {"Size": 1, "size": 2}
      """
    Then it is accepted
    And "foo" now holds
      | Size | size |
      | 1    | 2    |

  Scenario: What was stored can be read at once
    When I post to "/foo"
      """
      {"kind": "x"}
      """
    And I read "/foo?group_by=kind"
    Then the groups are
      | kind | _count |
      | x    | 1      |

  Scenario Outline: There is no bucket at <path>
    When I post to "<path>"
      """
      {"size": 1}
      """
    Then the status is 404
    And I am told "bucket not found"

    Examples:
      | path              |
      | /bar              |
      | /Foo              |
      | /9lives           |
      | /data/foo/other   |
      | /data/bar/records |

  Scenario: The write app is up
    When I ask the write app for "/_status"
    Then the answer is
      """
      {"status": "ok", "message": "app is up"}
      """

  Scenario Outline: There is nothing at <path>
    When I ask the write app for "<path>"
    Then the status is 404
    And the header "Content-Type" is "application/json"
    And the header "Cache-Control" is "no-cache"
    And I am told "not found"

    Examples:
      | path               |
      | /                  |
      | /foo/              |
      | /_status/          |
      | /data/foo/records/ |
      | /data/a/b/c/d      |

  Scenario: Records cannot be posted to a path with a slash at its end
    When I post to "/foo/"
      """
      {"size": 1}
      """
    Then the status is 404
    And nothing is stored in "foo"

  Scenario Outline: <method> is not for <path>
    When I send a <method> of <path> to the write app
    Then the status is 405
    And the header "Allow" is "<allowed>"
    And the header "Content-Type" is "application/json"
    And the header "Cache-Control" is "no-cache"
    And I am told about "method"

    Examples:
      | method | path                | allowed                |
      | GET    | /foo                | POST, PUT, OPTIONS     |
      | DELETE | /foo                | POST, PUT, OPTIONS     |
      | PATCH  | /data/foo/records   | POST, PUT, OPTIONS     |
      | GET    | /data/foo/records   | POST, PUT, OPTIONS     |
      | GET    | /data/foo/records/a | PATCH, DELETE, OPTIONS |
      | PUT    | /data/foo/records/a | PATCH, DELETE, OPTIONS |
      | GET    | /data-sets/foo      | DELETE, OPTIONS        |
      | POST   | /data-sets/foo      | DELETE, OPTIONS        |
      | POST   | /_status            | GET, HEAD, OPTIONS     |

  Scenario: No answer of the write app is kept
    When I post to "/foo"
      """
      {"size": 1}
      """
    Then the header "Cache-Control" is "no-cache"

  Scenario: The request id comes back
    When I post to "/foo" with the header "Govuk-Request-Id: pipeline-17"
      """
      {"size": 1}
      """
    Then the header "Govuk-Request-Id" is "pipeline-17"
