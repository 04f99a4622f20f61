Feature: What browsers and other clients of the read app rely on

  Background:
    Given a bucket "foo"

  Scenario Outline: Any page may read <path>
    When a browser asks whether it may read "<path>"
    Then the status is 200
    And the answer is empty
    And the header "Access-Control-Allow-Origin" is "*"
    And the header "Access-Control-Max-Age" is "86400"
    And the header "Access-Control-Allow-Headers" is "cache-control, govuk-request-id, request-id"

    Examples:
      | path              |
      | /foo              |
      | /data/foo/records |

  Scenario Outline: There is nothing to ask of <path>
    Given a bucket "hidden" with the settings
      | queryable | false |
    When a browser asks whether it may read "<path>"
    Then the status is 404
    And the header "Access-Control-Allow-Origin" is "*"
    And I am told "bucket not found"

    Examples:
      | path                 |
      | /bar                 |
      | /hidden              |
      | /data/foo/other      |
      | /data/hidden/records |

  Scenario Outline: Pages can read the answer, also where it is an error: <path>
    When I read "<path>"
    Then the status is <status>
    And the header "Access-Control-Allow-Origin" is "*"
    And the header "Content-Type" is "application/json"

    Examples:
      | path         | status |
      | /foo         | 200    |
      | /foo?limit=x | 400    |
      | /bar         | 404    |
      | /_status     | 200    |

  Scenario Outline: There is no bucket at <path>
    When I read "<path>"
    Then the status is 404
    And I am told "bucket not found"

    Examples:
      | path              |
      | /bar              |
      | /FOO              |
      | /9lives           |
      | /f                |
      | /foo%20           |
      | /data/foo/other   |
      | /data/bar/records |

  Scenario: A name may hold digits, underscores, dots and hyphens
    Given a bucket "A_b.c-9"
    When I read "/A_b.c-9"
    Then the status is 200

  Scenario Outline: There is nothing at <path>
    When I read "<path>"
    Then the status is 404
    And the header "Content-Type" is "application/json"
    And the header "Access-Control-Allow-Origin" is "*"
    And I am told "not found"

    Examples:
      | path                       |
      | /                          |
      | /foo/                      |
      | /data/foo/records/         |
      | /data/foo/records/more/yet |
      | /_status/                  |
      | /_status/other/thing       |

  Scenario Outline: <method> is not for <path>
    When I send a <method> of <path> to the read app
    Then the status is 405
    And the header "Allow" is "GET, HEAD, OPTIONS"
    And the header "Content-Type" is "application/json"
    And the header "Access-Control-Allow-Origin" is "*"
    And I am told about "method"

    Examples:
      | method | path                |
      | POST   | /foo                |
      | PUT    | /foo                |
      | DELETE | /foo                |
      | PATCH  | /data/foo/records   |
      | POST   | /data/foo/records   |
      | POST   | /_status            |
      | DELETE | /_status/data-sets  |
      | PUT    | /_status/buckets    |
      | TRACE  | /foo                |

  Scenario Outline: An answer has the id that the client gave the request in <header>
    When I read "/foo" with the header "<header>: dashboard-17"
    Then the header "Govuk-Request-Id" is "dashboard-17"

    Examples:
      | header           |
      | Govuk-Request-Id |
      | X-Request-Id     |

  Scenario: A request without an id is given one
    When I read "/foo"
    Then there is a header "Govuk-Request-Id"

  Scenario: Errors have a request id too
    When I read "/bar" with the header "X-Request-Id: dashboard-18"
    Then the header "X-Request-Id" is "dashboard-18"

  Scenario: The request id leads to the line of the log
    When I read "/foo" with the header "Govuk-Request-Id: dashboard-19"
    Then the log has "dashboard-19"

  Scenario: A damaged database is a fault of ours, and no reason is given away
    When I read "/foo" with the header "X-Request-Id: dashboard-20"
    And the database is damaged
    And I read "/foo" with the header "X-Request-Id: dashboard-21"
    Then the status is 500
    And the answer is
      """
      {"status": "error", "message": "internal server error", "request_id": "dashboard-21"}
      """
