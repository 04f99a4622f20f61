Feature: Who sees a bucket, and for how long an answer may be kept

  Scenario: An answer may be kept for half an hour
    Given a bucket "foo"
    When I read "/foo"
    Then the header "Cache-Control" is "max-age=1800, must-revalidate"

  Scenario: An answer of a realtime bucket may be kept for two minutes
    Given a bucket "foo" with the settings
      | realtime | true |
    When I read "/foo"
    Then the header "Cache-Control" is "max-age=120, must-revalidate"

  Scenario: An unpublished bucket warns, and nothing keeps its answers
    Given a bucket "foo" with the settings
      | published | false |
    When I read "/foo"
    Then the header "Cache-Control" is "no-cache"
    And the answer is
      """
      {
        "warning": "Warning: This data-set is unpublished. Data may be subject to change or be inaccurate.",
        "data": []
      }
      """

  Scenario: A bucket that is not queryable looks as if it were not there
    Given a bucket "foo" with the settings
      | queryable | false |
    When I read "/foo"
    Then the status is 404
    And I am told "bucket not found"

  Scenario: Nor does it answer at its second address
    Given a bucket "foo" with the settings
      | queryable | false |
    When I read "/data/foo/records"
    Then the status is 404
    And I am told "bucket not found"

  Scenario: A bucket that is not queryable takes records
    Given a bucket "foo" with the settings
      | queryable | false |
    When I post to "/foo"
      """
      {"size": 1}
      """
    Then it is accepted

  Scenario: A second read of the same answer is told that nothing changed
    Given a bucket "foo" with the records of "licensing.json"
    When I read "/foo?group_by=status"
    And I read "/foo?group_by=status" again, knowing the answer
    Then the status is 304
    And the answer is empty
    And there is a header "ETag"
    And the header "Cache-Control" is "max-age=1800, must-revalidate"

  Scenario: The tag holds for the second address too
    Given a bucket "foo" with the records of "licensing.json"
    When I read "/foo?group_by=status"
    And I read "/data/foo/records?group_by=status" again, knowing the answer
    Then the status is 304

  Scenario: A changed answer has another tag
    Given a bucket "foo" with the records of "licensing.json"
    When I read "/foo?group_by=status"
    Given "foo" holds the records
      | status |
      | lost   |
    When I read "/foo?group_by=status" again, knowing the answer
    Then the status is 200
    And there are 3 rows

  Scenario Outline: If-None-Match: <tags>
    Given a bucket "foo"
    When I read "/foo" with the header "If-None-Match: <tags>"
    Then the status is <status>

    Examples:
      | tags        | status |
      | *           | 304    |
      | 'other'     | 200    |
      | other, W/x  | 200    |

  Scenario: A CSV answer has a tag as well
    Given a bucket "foo" with the records of "licensing.json"
    When I read "/foo?group_by=status&format=csv"
    And I read "/foo?group_by=status&format=csv" again, knowing the answer
    Then the status is 304

  Scenario: HEAD has the headers of GET and no body
    Given a bucket "foo"
    When I ask for the headers of "/foo"
    Then the status is 200
    And the answer is empty
    And the header "Content-Length" is "11"
    And the header "Content-Type" is "application/json"
    And there is a header "ETag"
    And the header "Cache-Control" is "max-age=1800, must-revalidate"

  Scenario: HEAD fails like GET
    Given a bucket "foo"
    When I ask for the headers of "/foo?limit=x"
    Then the status is 400
    And the answer is empty

  Scenario: A data group and type may hold any character but a slash
    Given a bucket "foo" with the settings
      | data_group | "fire & rescue" |
      | data_type  | "été 100%"      |
    When I read "/data/fire%20%26%20rescue/%C3%A9t%C3%A9%20100%25"
    Then the status is 200

  Scenario: Names are case-sensitive
    Given a bucket "foo"
    When I read "/Foo"
    Then the status is 404
