Feature: What the programs log

  Background:
    Given the setting BACKDROP_LOG_FORMAT is "json"
    And a bucket "foo"

  Scenario: A write is in the audit log with its bucket, records and span
    When I post to "/foo" with the header "Govuk-Request-Id: pipeline-17"
      """
      [
        {"_id": "a", "_timestamp": "2013-03-11T00:00:00Z"},
        {"_id": "b", "_timestamp": "2013-03-18T12:00:00Z"},
        {"_id": "c"}
      ]
      """
    Then it is accepted
    And a line of the log has
      | target     | backdrop::audit           |
      | action     | store                     |
      | bucket     | foo                       |
      | records    | 3                         |
      | from       | 2013-03-11T00:00:00+00:00 |
      | to         | 2013-03-18T12:00:00+00:00 |
      | address    | 127.0.0.1                 |
      | request_id | pipeline-17               |

  Scenario: A refused write is not in the audit log
    When I post to "/foo"
      """
      {"foo-bar": 1}
      """
    Then the status is 400
    And the log has no "backdrop::audit"

  Scenario: Changing, deleting and emptying are in the audit log
    Given "foo" holds the records
      | _id |
      | a   |
    When I change "/data/foo/records/a"
      """
      {"size": 1}
      """
    And I delete "/data/foo/records/a"
    And I empty "/foo"
    And a manager deletes the data of "foo"
    Then a line of the log has
      | target | backdrop::audit |
      | action | change          |
      | bucket | foo             |
      | id     | a               |
    And a line of the log has
      | target | backdrop::audit |
      | action | delete          |
      | bucket | foo             |
      | id     | a               |
    And a line of the log has
      | target | backdrop::audit |
      | action | empty           |
      | bucket | foo             |
    And a line of the log has
      | target | backdrop::audit |
      | action | delete data     |
      | bucket | foo             |

  Scenario: Every line is JSON
    When I read "/foo?limit=x"
    And I post to "/foo"
      """
      {"size": 1}
      """
    Then every line of the log is JSON

  Scenario: A token is never in the log
    When I post to "/foo"
      """
      {"size": 1}
      """
    And I post to "/foo" with the header "Authorization: Bearer tok-wrong"
      """
      {"size": 1}
      """
    And I read "/foo?bearer_token=tok-query"
    And a manager deletes the data of "foo"
    Then the log has no "tok-foo"
    And the log has no "tok-wrong"
    And the log has no "tok-query"
    And the log has no "dev-create-endpoint-token"

  Scenario: Lines of text have the same in them
    Given the setting BACKDROP_LOG_FORMAT is "text"
    When I post to "/foo"
      """
      {"_timestamp": "2013-03-11T00:00:00Z"}
      """
    Then the log has "backdrop::audit"
    And the log has "bucket=foo"
    And the log has no "tok-foo"

  Scenario: BACKDROP_LOG says what is logged
    Given the setting BACKDROP_LOG is "error,backdrop::audit=info"
    When I read "/foo"
    And I post to "/foo"
      """
      {"size": 1}
      """
    Then a line of the log has
      | action | store |
    And the log has no "GET"

  Scenario: A refused request says why in a word
    When I read "/foo?limit=x"
    And I read "/none"
    And I post to "/foo" with the header "Authorization: Bearer tok-wrong"
      """
      {"size": 1}
      """
    And I post to "/foo"
      """
      {"foo-bar": 1}
      """
    Then a line of the log has
      | target | backdrop::request      |
      | status | 400                    |
      | reason | query_positive_integer |
    And a line of the log has
      | status | 404              |
      | reason | bucket_not_found |
    And a line of the log has
      | status | 401          |
      | reason | unauthorized |
    And a line of the log has
      | status | 400        |
      | reason | record_key |

  Scenario: A slow query is in the log by its names
    Given the setting BACKDROP_SLOW_QUERY_MS is "0"
    When I read "/foo?filter_by=kind:tok-query"
    Then the log has no "backdrop::slow"
    And the log has no "tok-query"
