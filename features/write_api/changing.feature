Feature: Changing and deleting single records

  Background:
    Given a bucket "foo" with the records
      | _id | _timestamp           | kind | size |
      | a   | 2013-03-11T10:00:00Z | x    | 1    |
      | b   | 2013-03-12T10:00:00Z | x    | 2    |

  Scenario: The given fields are set and the others kept
    When I change "/data/foo/records/a"
      """
      {"size": 5, "done": true}
      """
    Then the status is 200
    And the answer is
      """
      {"status": "ok"}
      """
    And "foo" now holds
      | _id | _timestamp                | kind | size | done |
      | a   | 2013-03-11T10:00:00+00:00 | x    | 5    | true |
      | b   | 2013-03-12T10:00:00+00:00 | x    | 2    |      |

  Scenario: Setting a field to null keeps it as null
    When I change "/data/foo/records/a"
      """
      {"size": null}
      """
    Then it is accepted
    And "foo" now holds
      | _id | size |
      | a   | null |
      | b   | 2    |

  Scenario: The periods follow the time
    When I change "/data/foo/records/a"
      """
      {"_timestamp": "2014-05-14T12:30:00+01:00"}
      """
    Then it is accepted
    When I read "/foo?filter_by=_id:a"
    Then the answer is
      """
      {"data": [{
        "_id": "a",
        "_timestamp": "2014-05-14T11:30:00+00:00",
        "kind": "x",
        "size": 1,
        "_hour_start_at": "2014-05-14T11:00:00+00:00",
        "_day_start_at": "2014-05-14T00:00:00+00:00",
        "_week_start_at": "2014-05-12T00:00:00+00:00",
        "_month_start_at": "2014-05-01T00:00:00+00:00",
        "_quarter_start_at": "2014-04-01T00:00:00+00:00",
        "_year_start_at": "2014-01-01T00:00:00+00:00",
        "_updated_at": "<any>"
      }]}
      """

  Scenario: The id may be repeated
    When I change "/data/foo/records/a"
      """
      {"_id": "a", "size": 5}
      """
    Then it is accepted

  Scenario Outline: A change is checked like a post: <change>
    When I change "/data/foo/records/a"
      """
      <change>
      """
    Then the messages are
      | <message> |
    And "foo" now holds
      | _id | kind | size |
      | a   | x    | 1    |
      | b   | x    | 2    |

    Examples:
      | change                     | message                                     |
      | {"foo-bar": 1, "size": 5}  | foo-bar is not a valid key                  |
      | {"_count": 1, "size": 5}   | _count is not a recognised internal field   |
      | {"kind": [], "size": 5}    | kind has an invalid value                   |
      | {"_id": "b", "size": 5}    | _id cannot be changed from "a" to "b"       |

  Scenario: A bad date in a change is told like that of a post
    When I change "/data/foo/records/a"
      """
      {"_timestamp": "whenever"}
      """
    Then the messages are
      | the _timestamp must be a date in the format yyyy-MM-ddT00:00:00Z |
      | _timestamp is not a valid datetime object                        |

  Scenario: A change is one record and no list
    When I change "/data/foo/records/a"
      """
      [{"size": 5}]
      """
    Then the status is 400
    And 2 records are stored in "foo"

  Scenario: A change of a record that there is not
    When I change "/data/foo/records/nothing"
      """
      {"size": 5}
      """
    Then the messages are
      | No record found with id nothing |

  Scenario: A change in a bucket that there is not
    When I change "/data/foo/other/a"
      """
      {"size": 5}
      """
    Then the status is 404

  Scenario: A change needs a body
    When I change "/data/foo/records/a" with the header "Content-Type: text/plain"
      """
      {"size": 5}
      """
    Then the status is 400
    And I am told "Expected header: Content-type: application/json"

  Scenario: Deleting a record
    When I delete "/data/foo/records/a"
    Then the status is 200
    And the answer is
      """
      {"status": "ok"}
      """
    And "foo" now holds
      | _id |
      | b   |

  Scenario: Deleting a record that there is not
    When I delete "/data/foo/records/nothing"
    Then the messages are
      | No record found with id nothing |

  Scenario: A record is deleted once
    When I delete "/data/foo/records/a"
    And I delete "/data/foo/records/a"
    Then the messages are
      | No record found with id a |

  Scenario: Deleting in a bucket that there is not
    When I delete "/data/foo/other/a"
    Then the status is 404

  Scenario: An id in a path is percent-encoded
    Given "foo" holds the records
      | _id       |
      | été/é?100% |
    When I delete "/data/foo/records/%C3%A9t%C3%A9%2F%C3%A9%3F100%25"
    Then it is accepted
    And 2 records are stored in "foo"
