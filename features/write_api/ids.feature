Feature: The ids of records

  Scenario: Storing an id again replaces the record
    Given a bucket "foo" with the records
      | _id | kind | size |
      | a   | x    | 1    |
      | b   | x    | 2    |
    When I post to "/foo"
      """
      {"_id": "a", "kind": "y"}
      """
    Then it is accepted
    And "foo" now holds
      | _id | kind | size |
      | a   | y    |      |
      | b   | x    | 2    |

  Scenario: The last of an id in one request stands
    Given a bucket "foo"
    When I post to "/foo"
      """
      [{"_id": "a", "size": 1}, {"_id": "a", "size": 2}]
      """
    Then it is accepted
    And "foo" now holds
      | _id | size |
      | a   | 2    |

  Scenario: The same id in two buckets is two records
    Given a bucket "foo" with the records
      | _id | size |
      | a   | 1    |
    And a bucket "bar" with the records
      | _id | size |
      | a   | 2    |
    Then "foo" now holds
      | _id | size |
      | a   | 1    |

  Scenario: Ids may hold any character but white space
    Given a bucket "foo"
    When I post to "/foo"
      """
      [{"_id": "été/é?%"}, {"_id": "a.b-c:d"}]
      """
    Then it is accepted
    And "foo" now holds
      | _id     |
      | été/é?% |
      | a.b-c:d |

  Scenario: A record without an id is given one
    Given a bucket "foo"
    When I post to "/foo"
      """
      [{"size": 1}, {"size": 1}]
      """
    Then it is accepted
    And 2 records are stored in "foo"
    And every record in "foo" has an id of its own

  Scenario: Ids that were made sort by time
    Given a bucket "foo"
    When I post to "/foo"
      """
      {"note": "first"}
      """
    And I post to "/foo"
      """
      [{"note": "second"}, {"note": "third"}]
      """
    And I post to "/foo"
      """
      {"note": "fourth"}
      """
    And I read "/foo?sort_by=_id:ascending"
    Then the values of "note" in their order are "first second third fourth"

  Scenario Outline: An id made of <sent>
    Given a bucket "foo" with the settings
      | auto_ids | ["_timestamp", "kind", "size"] |
    When I post to "/foo"
      """
      <sent>
      """
    Then it is accepted
    And "foo" has a record with the base64 id of "<id>"

    Examples:
      | sent                                                                   | id                       |
      | {"_timestamp": "2013-03-11", "kind": "x", "size": 1}                   | 2013-03-11.x.1           |
      | {"_timestamp": "2013-03-11T00:00:00Z", "kind": "x", "size": 1.50}      | 2013-03-11T00:00:00Z.x.1.50 |
      | {"_timestamp": "2013-03-11", "kind": "été", "size": "1"}               | 2013-03-11.été.1         |
      | {"_timestamp": "2013-03-11", "kind": true, "size": null}               | 2013-03-11.true.null     |
      | {"_timestamp": "2013-03-11", "kind": "x", "size": 1, "_id": "sent"}    | 2013-03-11.x.1           |
      | {"_timestamp": "2013-03-11", "kind": "x", "size": 1, "_id": "a b"}     | 2013-03-11.x.1           |

  Scenario: Records that make the same id replace each other
    Given a bucket "foo" with the settings
      | auto_ids | ["kind"] |
    And "foo" holds the records
      | kind | size |
      | x    | 1    |
      | y    | 2    |
    When I post to "/foo"
      """
      [{"kind": "x", "size": 3}]
      """
    Then it is accepted
    And "foo" now holds
      | kind | size |
      | x    | 3    |
      | y    | 2    |

  Scenario: The fields that an id lacks are told once, for the first record that lacks any
    Given a bucket "foo" with the settings
      | auto_ids | ["_timestamp", "kind"] |
    When I post to "/foo"
      """
      [{"_timestamp": "2013-03-11", "kind": "x"}, {"size": 1}, {"kind": "y"}]
      """
    Then the messages are
      | The following required id fields are missing: _timestamp, kind |
    And nothing is stored in "foo"
