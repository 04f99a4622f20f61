Feature: explain=true, or how a query would be answered

  With explain=true a query is not answered; instead it is said what would be done to answer it, in
  the terms of the store.

  Background:
    Given a bucket "foo" with the records of "licensing.json"
    And a bucket "guarded" with the settings
      | raw_queries_allowed | false |

  Scenario Outline: <title>
    When I read "/foo?explain=true<query>"
    Then the status is 200
    And the store is explained
    And the header "Content-Type" is "application/json"
    And the header "Cache-Control" is "no-cache"
    And the header "Access-Control-Allow-Origin" is "*"
    And there is no header "ETag"

    Examples:
      | title                       | query                                                                     |
      | All records                 |                                                                           |
      | Some records                | &filter_by=kind:x&sort_by=fee:descending&limit=2                          |
      | Groups                      | &group_by=authority&collect=fee:sum                                       |
      | Periods                     | &period=week&start_at=2013-01-07T00:00:00Z&end_at=2013-01-21T00:00:00Z    |
      | A window that would move    | &period=week&duration=2&group_by=authority                                |
      | There is no CSV of it       | &format=csv                                                               |

  Scenario: The second address explains as well
    When I read "/data/foo/records?explain=true"
    Then the status is 200
    And the store is explained

  Scenario: explain=false is as if it were not there
    When I read "/foo?explain=false&group_by=status"
    Then the status is 200
    And there are 2 rows
    And there is a header "ETag"

  Scenario: Nothing is sent to a client that only asks for headers
    When I ask for the headers of "/foo?explain=true"
    Then the status is 200
    And the answer is empty

  Scenario: A guarded bucket explains nothing to just anybody
    When I read "/guarded?explain=true&group_by=authority"
    Then the status is 401
    And the header "WWW-Authenticate" is "bearer"
    And the header "Access-Control-Allow-Origin" is "*"
    And I am told "This bucket does not allow raw queries, so explain needs its token: send the header Authorization: Bearer <token>"

  Scenario: A guarded bucket explains to whoever has its token
    When I read "/guarded?explain=true&group_by=authority" with the header "Authorization: Bearer tok-guarded"
    Then the status is 200
    And the store is explained

  Scenario Outline: Not its token: <header>
    When I read "/guarded?explain=true&group_by=authority" with the header "<header>"
    Then the status is 401
    And the header "WWW-Authenticate" is "bearer"
    And I am told about "Invalid bearer token"

    Examples:
      | header                           |
      | Authorization: Bearer tok-foo    |
      | Authorization: Bearer            |
      | Authorization: Basic tok-guarded |

  Scenario: The token does not lift the guards
    When I read "/guarded?explain=true" with the header "Authorization: Bearer tok-guarded"
    Then the status is 400
    And I am told "querying for raw data is not allowed"

  Scenario Outline: A wrong query is refused as ever: <query>
    When I read "/<bucket>?explain=true&<query>"
    Then the status is 400
    And I am told "<message>"

    Examples:
      | bucket  | query     | message                                |
      | foo     | limit=x   | limit must be a positive integer       |
      | foo     | colour=x  | An unrecognised parameter was provided |
      | guarded | limit=1   | querying for raw data is not allowed   |

  Scenario: It is true or false
    When I read "/foo?explain=yes"
    Then the status is 400
    And I am told "explain must be either 'true' or 'false'"
