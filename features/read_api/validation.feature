Feature: Queries that are refused

  Background:
    Given a bucket "foo"

  Scenario Outline: <query>
    When I read "/foo?<query>"
    Then the status is 400
    And I am told "<message>"

    Examples: Parameters that there are not
      | query         | message                                |
      | colour=red    | An unrecognised parameter was provided |
      | Period=day    | An unrecognised parameter was provided |
      | query[]=x     | An unrecognised parameter was provided |

    Examples: Periods
      | query                                                                            | message |
      | period=day                                                                       | Either 'duration' or both 'start_at' and 'end_at' are required for a period query |
      | period=day&start_at=2013-01-01T00:00:00Z                                         | Either 'duration' or both 'start_at' and 'end_at' are required for a period query |
      | period=day&end_at=2013-01-01T00:00:00Z                                           | Either 'duration' or both 'start_at' and 'end_at' are required for a period query |
      | period=day&duration=2&limit=3                                                    | A period query can only be limited if it is grouped - please add 'group_by' |
      | period=decade&duration=2                                                         | 'period' must be one of hour, day, week, month, quarter, year |
      | period=Week&duration=2                                                           | 'period' must be one of hour, day, week, month, quarter, year |
      | period=day&duration=2&sort_by=_count:ascending                                   | Cannot sort for period queries without group_by. Period queries are always sorted by time. |

    Examples: Times
      | query                                                                            | message |
      | start_at=yesterday&end_at=2013-01-01T00:00:00Z                                   | start_at is not a valid datetime |
      | start_at=2013-01-01&end_at=2013-01-02T00:00:00Z                                  | start_at is not a valid datetime |
      | start_at=2013-01-01T00:00Z&end_at=2013-01-02T00:00:00Z                           | start_at is not a valid datetime |
      | start_at=2013-01-01T00:00:00&end_at=2013-01-02T00:00:00Z                         | start_at is not a valid datetime |
      | start_at=2013-01-01T00:00:00.5Z&end_at=2013-01-02T00:00:00Z                      | start_at is not a valid datetime |
      | start_at=2013-01-01T00:00:00+01:00&end_at=2013-01-02T00:00:00Z                   | start_at is not a valid datetime |
      | start_at=2013-02-30T00:00:00Z&end_at=2013-03-02T00:00:00Z                        | start_at is not a valid datetime |
      | start_at=2013-01-01T00:00:00Z&end_at=tomorrow                                    | end_at is not a valid datetime |
      | start_at=2013-01-01T00:00:00Z                                                    | Use of 'start_at' requires 'end_at' or 'duration' |
      | end_at=2013-01-01T00:00:00Z                                                      | Use of 'end_at' requires 'start_at' or 'duration' |
      | period=day&duration=2&start_at=2013-01-01T00:00:00Z&end_at=2013-01-02T00:00:00Z  | Absolute and relative time cannot be requested at the same time - either ask for 'start_at' and 'end_at', or ask for 'start_at'/'end_at' with 'duration' |
      | period=day&duration=0                                                            | 'duration' must not be zero |
      | duration=2                                                                       | If 'duration' is requested (for relative time), 'period' is required - please add a period (like 'day', 'month' etc) |
      | period=day&duration=two                                                          | duration must be a positive integer |
      | period=day&duration=-2                                                           | duration must be a positive integer |
      | period=day&duration=1.5                                                          | duration must be a positive integer |
      | inclusive=yes&start_at=2013-01-01T00:00:00Z&end_at=2013-01-02T00:00:00Z          | inclusive must be either 'true' or 'false' |
      | inclusive=true                                                                   | inclusive can be used only with either start_at or end_at |

    Examples: Filters
      | query                                       | message |
      | filter_by=kind:x&filter_by_prefix=kind:x    | Cannot use both filter_by and filter_by_prefix in the same query |
      | filter_by=kind                              | filter_by must be a field name and value separated by a colon (:) eg. authority:Westminster |
      | filter_by_prefix=kind                       | filter_by must be a field name and value separated by a colon (:) eg. authority:Westminster |
      | filter_by=with-hyphen:x                     | Cannot filter by an invalid field name |
      | filter_by=$where:x                          | Cannot filter by an invalid field name |
      | filter_by=:x                                | Cannot filter by an invalid field name |
      | filter_by=kind:x&filter_by=with-hyphen:x    | Cannot filter by an invalid field name |
      | filter_by_prefix=$where:x                   | Cannot filter by an invalid field name |

    Examples: Groups
      | query                              | message |
      | group_by=with-hyphen               | Cannot group by an invalid field name |
      | group_by=$kind                     | Cannot group by an invalid field name |
      | group_by=kind&group_by=with-hyphen | Cannot group by an invalid field name |
      | group_by=_timestamp                | Cannot group by internal fields, internal fields start with an underscore |
      | group_by=kind&group_by=_id         | Cannot group by internal fields, internal fields start with an underscore |

    Examples: Order and length
      | query                     | message |
      | sort_by=kind              | sort_by must be a field name and sort direction separated by a colon (:) eg. authority:ascending |
      | sort_by=kind:sideways     | Unrecognised sort direction. Supported directions include: ascending, descending |
      | sort_by=$kind:ascending   | Cannot sort by an invalid field name |
      | limit=x                   | limit must be a positive integer |
      | limit=-1                  | limit must be a positive integer |
      | limit=1.5                 | limit must be a positive integer |

    Examples: Collected values
      | query                                  | message |
      | collect=size:sum                       | collect can be used only with either group_by or period |
      | group_by=kind&collect=size:median      | Unknown collection method |
      | group_by=kind&collect=size:sum:mean    | Unknown collection method |
      | group_by=kind&collect=with-hyphen:sum  | Cannot collect an invalid field name |
      | group_by=kind&collect=$size:sum        | Cannot collect an invalid field name |
      | group_by=kind&collect=_timestamp       | Cannot collect internal fields, internal fields start with an underscore |
      | group_by=kind&collect=kind             | Cannot collect by a field that is used for group_by |
      | group_by=a1&group_by=kind&collect=kind | Cannot collect by a field that is used for group_by |

    Examples: Flat rows
      | query                      | message |
      | group_by=kind&flatten=yes  | flatten must be either 'true' or 'false' |

  Scenario Outline: The first rule that fails is reported: <first>
    When I read "/foo?<first>&<later>"
    Then the status is 400
    And I am told "<message>"

    Examples:
      | first                                              | later                                    | message |
      | colour=red                                         | period=day                               | An unrecognised parameter was provided |
      | period=decade                                      | start_at=x                               | Either 'duration' or both 'start_at' and 'end_at' are required for a period query |
      | start_at=x                                         | end_at=x                                 | start_at is not a valid datetime |
      | end_at=x                                           | filter_by=x                              | end_at is not a valid datetime |
      | filter_by=x                                        | period=decade&duration=1                 | filter_by must be a field name and value separated by a colon (:) eg. authority:Westminster |
      | period=decade&duration=1                           | sort_by=x                                | 'period' must be one of hour, day, week, month, quarter, year |
      | sort_by=x                                          | group_by=$x                              | sort_by must be a field name and sort direction separated by a colon (:) eg. authority:ascending |
      | group_by=$x                                        | limit=x                                  | Cannot group by an invalid field name |
      | limit=x                                            | duration=x                               | limit must be a positive integer |
      | duration=x                                         | collect=kind                             | duration must be a positive integer |
      | collect=kind                                       | duration=0                               | collect can be used only with either group_by or period |
      | start_at=2013-01-01T00:00:00Z                      | group_by=kind&collect=size:x             | Use of 'start_at' requires 'end_at' or 'duration' |
      | duration=0                                         | group_by=kind                            | 'duration' must not be zero |
      | group_by=kind&collect=size:x                       | flatten=x                                | Unknown collection method |
      | flatten=x                                          | inclusive=x                              | flatten must be either 'true' or 'false' |

  Scenario: A query that is no UTF-8 is refused
    When I read "/foo?filter_by=kind:%FF"
    Then the status is 400

  Scenario: An unknown bucket is told before what is wrong with the query
    When I read "/bar?colour=red"
    Then the status is 404
    And I am told "bucket not found"
