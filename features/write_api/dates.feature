Feature: The times of records

  Background:
    Given a bucket "foo"

  Scenario Outline: <time>
    When I post to "/foo"
      """
      {"_timestamp": "<time>"}
      """
    Then it is accepted
    And "foo" now holds
      | _timestamp |
      | <stored>   |

    Examples:
      | time                          | stored                           |
      | 2013-03-11                    | 2013-03-11T00:00:00+00:00        |
      | 2013-03-11T10:20              | 2013-03-11T10:20:00+00:00        |
      | 2013-03-11T10:20:30           | 2013-03-11T10:20:30+00:00        |
      | 2013-03-11 10:20:30           | 2013-03-11T10:20:30+00:00        |
      | 2013-03-11t10:20:30z          | 2013-03-11T10:20:30+00:00        |
      | 2013-03-11T10:20:30Z          | 2013-03-11T10:20:30+00:00        |
      | 2013-03-11T10:20:30+01:00     | 2013-03-11T09:20:30+00:00        |
      | 2013-03-11T10:20:30-0530      | 2013-03-11T15:50:30+00:00        |
      | 2013-03-11T10:20:30.5Z        | 2013-03-11T10:20:30.500000+00:00 |
      | 2013-03-11T10:20:30.123987Z   | 2013-03-11T10:20:30.123000+00:00 |
      | 2012-02-29T00:00:00Z          | 2012-02-29T00:00:00+00:00        |

  Scenario Outline: No date: <value>
    When I post to "/foo"
      """
      {"_timestamp": <value>}
      """
    Then the messages are
      | the _timestamp must be a date in the format yyyy-MM-ddT00:00:00Z |
      | _timestamp is not a valid datetime object                        |
    And nothing is stored in "foo"

    Examples:
      | value                       |
      | "whenever"                  |
      | ""                          |
      | "2013"                      |
      | "11/03/2013"                |
      | "2013-03-11T10:20:30Z junk" |
      | 1362960000                  |
      | true                        |
      | null                        |
      | []                          |

  Scenario Outline: No such day or time: <time>
    When I post to "/foo"
      """
      {"_timestamp": "<time>"}
      """
    Then the messages are
      | <time> in the _timestamp field is not a valid date |
      | _timestamp is not a valid datetime object          |
    And nothing is stored in "foo"

    Examples:
      | time                 |
      | 2013-02-30           |
      | 2013-02-29T00:00:00Z |
      | 2013-13-01           |
      | 2013-03-11T25:00:00Z |

  Scenario: A record has its own start and end
    When I post to "/foo"
      """
      {"_start_at": "2013-03-11T00:00:00+01:00", "_end_at": "2013-03-18"}
      """
    Then it is accepted
    And "foo" now holds
      | _start_at                 | _end_at    |
      | 2013-03-10T23:00:00+00:00 | 2013-03-18 |

  Scenario Outline: <key> is checked as well
    When I post to "/foo"
      """
      {"<key>": "whenever"}
      """
    Then the messages are
      | <key> must be a date in the format yyyy-MM-ddT00:00:00Z |
      | <key> is not a valid datetime object                    |

    Examples:
      | key       |
      | _start_at |
      | _end_at   |

  Scenario: Dates of all records come before the other faults
    When I post to "/foo"
      """
      [{"foo-bar": 1}, {"_timestamp": "2013-02-30"}]
      """
    Then the messages are
      | 2013-02-30 in the _timestamp field is not a valid date |
      | foo-bar is not a valid key                             |
      | _timestamp is not a valid datetime object              |
