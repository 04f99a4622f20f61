Feature: Exploring a bucket in a browser

  Background:
    Given a bucket "licensing" with the records of "licensing.json"

  Scenario Outline: Who prefers HTML gets a page, all others data: <accept>
    When I read "/licensing?group_by=authority" with the header "Accept: <accept>"
    Then the status is 200
    And the header "Content-Type" is "<type>"
    And the header "Vary" is "Accept"

    Examples:
      | accept                              | type                     |
      | text/html,*/*;q=0.8                 | text/html; charset=utf-8 |
      | text/html, application/json;q=0.9   | text/html; charset=utf-8 |
      | */*                                 | application/json         |
      | application/json                    | application/json         |
      | application/json, text/html;q=0.9   | application/json         |
      | text/html, application/json         | application/json         |
      | text/*                              | application/json         |
      | nonsense                            | application/json         |

  Scenario Outline: A browser that names a format gets it: <query>
    When a browser reads "/licensing?group_by=authority&<query>"
    Then the header "Content-Type" is "<type>"
    And the header "Vary" is "Accept"
    And the header "Access-Control-Allow-Origin" is "*"

    Examples:
      | query        | type                     |
      | format=json  | application/json         |
      | format=csv   | text/csv; charset=utf-8  |
      | explain=true | application/json         |

  Scenario: A page shows the query, the answer and how a program asks for it
    When a browser reads "/licensing?group_by=authority&sort_by=_count:descending"
    Then the status is 200
    And the answer is a page
    And the HTML has 'value="authority"'
    And the HTML has 'value="_count:descending"'
    And the HTML has "<td>Westminster</td>"
    And the HTML has "Number of records, by authority"
    And the HTML has "<title>Hackney: 2</title>"
    And the HTML has "/licensing?group_by=authority&#38;sort_by=_count:descending&#38;format=json"
    And the HTML has "/licensing?group_by=authority&#38;sort_by=_count:descending&#38;format=csv"
    And the HTML has "/licensing?group_by=authority&#38;sort_by=_count:descending&#39;"

  Scenario: The second address has a page too
    When a browser reads "/data/licensing/records?group_by=authority"
    Then the answer is a page
    And the HTML has 'action="/data/licensing/records#answer"'

  Scenario: A page may do nothing but show itself
    When a browser reads "/licensing"
    Then the header "X-Content-Type-Options" is "nosniff"
    And the header "X-Frame-Options" is "SAMEORIGIN"
    And there is a header "Content-Security-Policy"
    And there is no header "Access-Control-Allow-Origin"
    And the HTML does not have "style="
    And the HTML does not have "<script"
    When a browser reads the stylesheet of the page
    Then the status is 200
    And the header "Content-Type" is "text/css; charset=utf-8"

  Scenario: Without a question the newest records are shown
    When a browser reads "/licensing"
    Then the status is 200
    And the HTML has 'value="_timestamp:descending"'
    And the HTML has "<td>granted</td>"
    And the HTML has "/licensing?sort_by=_timestamp:descending&#38;limit=100&#38;format=json"

  Scenario: A bucket that does not show its records shows a form, and what can be asked
    Given a bucket "guarded" with the settings
      | raw_queries_allowed | false |
    When a browser reads "/guarded"
    Then the status is 200
    And the HTML has "shows none of them"
    And the HTML does not have 'role="alert"'
    And the header "Cache-Control" is "max-age=1800, must-revalidate"

  Scenario: What a form leaves empty is not a parameter
    When a browser reads "/licensing?period=&duration=&start_at=2013-01-01&end_at=&group_by=authority&group_by=&limit="
    Then the status is 303
    And the header "Location" is "/licensing?start_at=2013-01-01T00:00:00Z&group_by=authority"
    And the header "Vary" is "Accept"

  Scenario: A form that is left empty asks nothing
    When a browser reads "/licensing?period=&group_by="
    Then the status is 303
    And the header "Location" is "/licensing"

  Scenario: To a program an empty parameter is one
    When I read "/licensing?limit="
    Then the status is 400
    And I am told "limit must be a positive integer"

  Scenario Outline: A question that is wrong comes back with the reason: <query>
    When a browser reads "/licensing?<query>"
    Then the status is 400
    And the answer is a page
    And the HTML has 'role="alert"'
    And the HTML has "<message>"
    And the header "Cache-Control" is "no-cache"

    Examples:
      | query                          | message                                    |
      | limit=some                     | limit must be a positive integer           |
      | colour=blue                    | An unrecognised parameter was provided     |
      | group_by=status&collect=x:most | Unknown collection method                  |
      | group_by=authority&collect=status:mean | invalid collect function           |

  Scenario: The field that is wrong is marked
    When a browser reads "/licensing?limit=some"
    Then the HTML has 'aria-describedby="limit-hint" aria-invalid="true"'
    And the HTML does not have 'aria-describedby="group_by-hint" aria-invalid="true"'

  Scenario: What somebody typed is shown as it was typed
    When a browser reads "/licensing?group_by=%3Cscript%3E&filter_by=a%22b:c"
    Then the status is 400
    And the HTML does not have "<script"
    And the HTML has 'value="a&#34;b:c"'

  Scenario: Too many groups
    Given the setting BACKDROP_MAX_ROWS is "2"
    When a browser reads "/licensing?group_by=authority"
    Then the status is 400
    And the answer is a page
    And the HTML has "more than 2 groups"

  Scenario Outline: There is no bucket at <path>
    Given a bucket "hidden" with the settings
      | queryable | false |
    When a browser reads "<path>"
    Then the status is 404
    And the answer is a page
    And the HTML has "Bucket not found"
    And the header "Vary" is "Accept"

    Examples:
      | path                |
      | /nothing            |
      | /9lives             |
      | /hidden             |
      | /data/nothing/there |

  Scenario: An unpublished bucket warns, and nothing keeps the page
    Given a bucket "draft" with the settings
      | published | false |
    When a browser reads "/draft"
    Then the HTML has "This data-set is unpublished"
    And the header "Cache-Control" is "no-cache"

  Scenario: A browser is told that a page did not change, and has no data in its place
    When a browser reads "/licensing?group_by=status"
    And a browser reads "/licensing?group_by=status" again, knowing the answer
    Then the status is 304
    And the answer is empty
    And the header "Vary" is "Accept"
    And the header "Cache-Control" is "max-age=1800, must-revalidate"
    When I read "/licensing?group_by=status" again, knowing the answer
    Then the status is 200
    And the header "Content-Type" is "application/json"

  Scenario: HEAD has the headers of the page
    When a browser asks for the headers of "/licensing?group_by=status"
    Then the status is 200
    And the answer is empty
    And the header "Content-Type" is "text/html; charset=utf-8"
    And there is a header "ETag"

  Scenario: A line for the shell holds nothing but the query
    When a browser reads "/licensing?filter_by=status:'x'"
    Then the HTML has "filter_by=status:%27x%27&#39;"
