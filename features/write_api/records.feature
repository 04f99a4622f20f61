Feature: Records that are refused

  Background:
    Given a bucket "foo"

  Scenario Outline: <record>
    When I post to "/foo"
      """
      <record>
      """
    Then the messages are
      | <message> |
    And nothing is stored in "foo"

    Examples: Keys
      | record               | message                       |
      | {"foo-bar": 1}       | foo-bar is not a valid key    |
      | {"foo bar": 1}       | foo bar is not a valid key    |
      | {"f": 1}             | f is not a valid key          |
      | {"_": 1}             | _ is not a valid key          |
      | {"1foo": 1}          | 1foo is not a valid key       |
      | {"$foo": 1}          | $foo is not a valid key       |
      | {"foo.bar": 1}       | foo.bar is not a valid key    |
      | {"foo:sum": 1}       | foo:sum is not a valid key    |
      | {"café": 1}          | café is not a valid key       |

    Examples: Reserved keys
      | record                          | message                                          |
      | {"_foo": 1}                     | _foo is not a recognised internal field          |
      | {"__foo": 1}                    | __foo is not a recognised internal field         |
      | {"_count": 1}                   | _count is not a recognised internal field        |
      | {"_updated_at": "2013-03-11"}   | _updated_at is not a recognised internal field   |
      | {"_week_start_at": "2013-03-11"} | _week_start_at is not a recognised internal field |
      | {"_Timestamp": "2013-03-11"}    | _Timestamp is not a recognised internal field    |

    Examples: Values
      | record                                  | message                  |
      | {"foo": [1, 2]}                         | foo has an invalid value |
      | {"foo": []}                             | foo has an invalid value |
      | {"foo": {"bar": 1}}                     | foo has an invalid value |
      | {"foo": 9223372036854775808}            | foo has an invalid value |
      | {"foo": -9223372036854775809}           | foo has an invalid value |
      | {"foo": 1e400}                          | foo has an invalid value |

    Examples: Ids
      | record               | message                         |
      | {"_id": "foo bar"}   | _id "foo bar" is not a valid id |
      | {"_id": ""}          | _id "" is not a valid id        |
      | {"_id": 5}           | _id "5" is not a valid id       |
      | {"_id": 1.5}         | _id "1.5" is not a valid id     |
      | {"_id": true}        | _id "true" is not a valid id    |
      | {"_id": null}        | _id "null" is not a valid id    |
      | {"_id": ["foo"]}     | _id has an invalid value        |

  Scenario: Every fault of a record is told
    When I post to "/foo"
      """
      {"foo-bar": 1, "baz": [1], "_foo": 1, "_id": "a b"}
      """
    Then the messages are
      | _foo is not a recognised internal field |
      | _id "a b" is not a valid id             |
      | baz has an invalid value                |
      | foo-bar is not a valid key              |

  Scenario: Faults come by record
    When I post to "/foo"
      """
      [{"foo-bar": 1}, {"size": 1}, {"_foo": 1}, {"foo": []}]
      """
    Then the messages are
      | foo-bar is not a valid key              |
      | _foo is not a recognised internal field |
      | foo has an invalid value                |

  Scenario: One bad record means that nothing is stored
    Given "foo" holds the records
      | _id | size |
      | a   | 1    |
    When I post to "/foo"
      """
      [{"_id": "a", "size": 2}, {"_id": "b", "size": 3}, {"foo-bar": 1}]
      """
    Then the status is 400
    And "foo" now holds
      | _id | size |
      | a   | 1    |

  Scenario: Messages come in the order schema, auto ids, dates, records
    Given a bucket "strict" with the settings
      | auto_ids | ["kind"]                                    |
      | schema   | {"properties": {"size": {"type": "integer"}}} |
    When I post to "/strict"
      """
      [{"foo-bar": 1, "_timestamp": "whenever"}, {"kind": "x", "size": "big"}]
      """
    Then the messages are
      | record 1/size: "big" is not of type "integer"                       |
      | The following required id fields are missing: kind                  |
      | the _timestamp must be a date in the format yyyy-MM-ddT00:00:00Z    |
      | _timestamp is not a valid datetime object                           |
      | foo-bar is not a valid key                                          |
    And nothing is stored in "strict"
