Feature: Clients that behave oddly

  Background:
    Given a bucket "foo"

  Scenario: A client that sends no more is answered
    When a client sends this to the write app, and then no more
      """
      POST /foo HTTP/1.1
      Host: x
      Authorization: Bearer tok-foo
      Content-Type: application/json
      Content-Length: 10

      [{"aa":1}]
      """
    Then it is answered with 200
    And 1 record is stored in "foo"

  Scenario: A body that is cut short is not stored
    When a client sends this to the write app, and then no more
      """
      POST /foo HTTP/1.1
      Host: x
      Authorization: Bearer tok-foo
      Content-Type: application/json
      Content-Length: 12

      [{"aa":1}]
      """
    Then it is answered with 400
    And 0 records are stored in "foo"

  Scenario Outline: A head that means two things is refused
    When a client sends this to the write app, and then no more
      """
      GET /_status HTTP/1.1
      <headers>
      """
    Then it is answered with <status>

    Examples:
      | headers                           | status |
      | Host: x                           | 200    |
      | Hosts: x                          | 400    |
      | Host: x y                         | 400    |

  Scenario: An idle connection keeps no app from ending
    Given 20 idle connections to the write app
    And 20 idle connections to the read app
    Then the write app ends within 5 seconds when it is told to
    And the read app ends within 5 seconds when it is told to

  Scenario: A client that sends half a body keeps no app from ending
    Given a client that has sent half a record to "/foo"
    Then the write app ends within 5 seconds when it is told to

  Scenario: A client that does not read keeps no app from ending
    Given a client that asks for a large answer and does not read it
    Then the read app ends within 5 seconds when it is told to

  Scenario: An app says that it is alive
    When I ask the write app for "/_status/live"
    Then the answer is
      """
      {"status": "ok", "message": "app is alive"}
      """
    When I read "/_status/live"
    Then the answer is
      """
      {"status": "ok", "message": "app is alive"}
      """

  Scenario Outline: JSON is taken however its type is written
    When I post to "/foo" with the header "Content-Type: <type>"
      """
      {"_id": "a"}
      """
    Then the status is 200

    Examples:
      | type                                |
      | application/json;                   |
      | application/json; charset=utf-8     |
      | Application/JSON                    |
