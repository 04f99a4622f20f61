Feature: Choosing records by their values

  Background:
    Given a bucket "things" with the records
      | _id | _timestamp           | kind | size  | done  | note      | _start_at            |
      | a   | 2013-03-11T00:00:00Z | x    | 5     | true  | 100% sure | 2013-03-11T00:00:00Z |
      | b   | 2013-03-11T01:30:00Z | x    | "5"   | false | 100 sure  |                      |
      | c   | 2013-03-12T00:00:00Z | y    | 2.5   |       | a_b:c     |                      |
      | d   |                      | Y    | "2.5" | null  | axb       |                      |
      | e   |                      | été  |       |       | "true"    |                      |

  Scenario Outline: <title>
    When I read "/things?<query>"
    Then the ids are "<ids>"

    Examples:
      | title                                           | query                                             | ids   |
      | A text                                          | filter_by=kind:x                                  | a b   |
      | Text is case-sensitive                          | filter_by=kind:y                                  | c     |
      | Text beyond ASCII                               | filter_by=kind:%C3%A9t%C3%A9                      | e     |
      | A text that holds colons                        | filter_by=note:a_b:c                              | c     |
      | A text that holds blanks                        | filter_by=note:100%20sure                         | b     |
      | A plus is a blank too                           | filter_by=note:100+sure                           | b     |
      | A value that is nowhere                         | filter_by=kind:z                                  |       |
      | A field that is nowhere                         | filter_by=colour:red                              |       |
      | A number matches the number and that text       | filter_by=size:5                                  | a b   |
      | A fraction matches the number and that text     | filter_by=size:2.5                                | c d   |
      | A number spelled otherwise is the same number   | filter_by=size:5.0                                | a     |
      | Only what JSON calls a number is one            | filter_by=size:05                                 |       |
      | true matches booleans only                      | filter_by=done:true                               | a     |
      | A text "true" is not matched by true            | filter_by=note:true                               |       |
      | false matches booleans only                     | filter_by=done:false                              | b     |
      | An id                                           | filter_by=_id:d                                   | d     |
      | A time                                          | filter_by=_timestamp:2013-03-11T01:30:00Z         | b     |
      | A time with another offset                      | filter_by=_timestamp:2013-03-11T02:30:00%2B01:00  | b     |
      | Another field that is a time                    | filter_by=_start_at:2013-03-10T23:00:00-01:00     | a     |
      | The start of a period                           | filter_by=_day_start_at:2013-03-11T00:00:00Z      | a b   |
      | Two fields must both match                      | filter_by=kind:x&filter_by=done:true              | a     |
      | The same field twice means any of the values    | filter_by=kind:x&filter_by=kind:y                 | a b c |
      | The same field twice and another                | filter_by=kind:x&filter_by=kind:y&filter_by=size:2.5 | c  |
      | The start of a text                             | filter_by_prefix=note:100                         | a b   |
      | A percent sign in a prefix is only that         | filter_by_prefix=note:100%25                      | a     |
      | An underscore in a prefix is only that          | filter_by_prefix=note:a_                          | c     |
      | A dot and a star in a prefix are only that      | filter_by_prefix=note:.%2A                        |       |
      | A prefix is case-sensitive                      | filter_by_prefix=kind:Y                           | d     |
      | A prefix beyond ASCII                           | filter_by_prefix=kind:%C3%A9                      | e     |
      | A prefix matches text only                      | filter_by_prefix=size:5                           | b     |
      | Two prefixed fields must both match             | filter_by_prefix=kind:x&filter_by_prefix=note:100%25 | a  |
      | The same prefixed field twice means any         | filter_by_prefix=note:a_&filter_by_prefix=note:ax | c d   |

  Scenario: A filter within a span
    When I read "/things?filter_by=kind:x&start_at=2013-03-11T01:00:00Z&end_at=2013-03-13T00:00:00Z"
    Then the ids are "b"

  Scenario: Only the records that match are grouped
    When I read "/things?group_by=kind&filter_by=size:5"
    Then the groups are
      | kind | _count |
      | x    | 2      |

  Scenario: Only the records that match a prefix are grouped
    When I read "/things?group_by=kind&filter_by_prefix=note:100"
    Then the groups are
      | kind | _count |
      | x    | 2      |

  Scenario: Only the records that match are counted in periods
    When I read "/things?period=day&start_at=2013-03-11T00:00:00Z&end_at=2013-03-13T00:00:00Z&filter_by=kind:y"
    Then the groups are
      | _start_at  | _end_at    | _count |
      | 2013-03-11 | 2013-03-12 | 0      |
      | 2013-03-12 | 2013-03-13 | 1      |
