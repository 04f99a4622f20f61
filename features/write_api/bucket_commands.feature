Feature: Managing buckets from the command line

  Scenario: Importing a seed file
    Given a file "buckets.json"
      """
      [
        {"name": "foo", "data_group": "group", "data_type": "type", "bearer_token": "tok-foo"},
        {"name": "bar", "raw_queries_allowed": true, "realtime": true, "published": false, "queryable": false}
      ]
      """
    When an operator runs "bucket import buckets.json"
    Then the command shows
      """
      2 buckets imported
      """
    When an operator runs "bucket list"
    Then the command shows
      """
      foo group/type 
      bar - raw queries allowed, realtime, not queryable, not published, no token
      """

  Scenario: Importing from standard input
    When an operator runs "bucket import -"
      """
      [{"name": "foo"}]
      """
    Then the command shows
      """
      1 bucket imported
      """

  Scenario: Importing twice changes nothing
    Given a file "buckets.json"
      """
      [{"name": "foo", "bearer_token": "tok-foo"}]
      """
    When an operator runs "bucket import buckets.json"
    And an operator runs "bucket import buckets.json"
    And an operator runs "bucket list"
    Then the command shows
      """
      foo - 
      """

  Scenario: Importing again keeps the records, and the token where none is given
    Given a bucket "foo" with the records of "licensing.json"
    When an operator runs "bucket import -"
      """
      [{"name": "foo", "raw_queries_allowed": true, "data_group": "new", "data_type": "address"}]
      """
    And I post to "/foo"
      """
      {"size": 1}
      """
    Then it is accepted
    And 9 records are stored in "foo"
    When I read "/data/new/address?group_by=status"
    Then the status is 200
    When I read "/data/foo/records?group_by=status"
    Then the status is 404

  Scenario: Importing with null takes the token away
    Given a bucket "foo"
    When an operator runs "bucket import -"
      """
      [{"name": "foo", "bearer_token": null}]
      """
    And I post to "/foo"
      """
      {"size": 1}
      """
    Then the status is 401

  Scenario: A file of Backdrop imports as it is, and unknown names are reported
    When an operator runs "bucket import -"
      """
      [{
        "name": "foo", "data_group": "foo", "data_type": "records", "bearer_token": "tok-foo",
        "raw_queries_allowed": true, "upload_format": "csv", "upload_filters": ["backdrop.core.upload.filters.first_sheet_filter"],
        "auto_ids": [], "queryable": true, "realtime": false, "capped_size": 5040, "max_age_expected": 86400,
        "published": true, "schema": null, "colour": "red"
      }]
      """
    Then it warns of "colour"
    When I post to "/foo"
      """
      {"size": 1}
      """
    Then it is accepted

  Scenario Outline: A bad file stores nothing: <entry>
    When an operator runs "bucket import -"
      """
      [{"name": "good"}, <entry>]
      """
    Then the command fails with "<message>"
    When an operator runs "bucket list"
    Then the command shows nothing

    Examples:
      | entry                                       | message |
      | 5                                           | entry 1 is not an object |
      | {}                                          | entry 1: name must be a bucket name |
      | {"name": "9lives"}                          | entry 1: name must be a bucket name |
      | {"name": "foo", "realtime": "yes"}          | entry 1: realtime must be true or false |
      | {"name": "foo", "capped_size": -1}          | entry 1: capped_size must be a number of bytes or null |
      | {"name": "foo", "auto_ids": "kind"}         | entry 1: auto_ids must be a list of field names or null |
      | {"name": "foo", "upload_format": "pdf"}     | entry 1: upload_format must be |
      | {"name": "foo", "max_age_expected": "old"}  | entry 1: max_age_expected must be |
      | {"name": "foo", "bearer_token": ""}         | entry 1: bearer_token must be |
      | {"name": "foo", "data_group": "group"}      | entry 1: data_group and data_type come together or not at all |
      | {"name": "foo", "data_group": "a/b", "data_type": "type"} | entry 1: data_group must be text |
      | {"name": "foo", "schema": {"type": "size"}} | entry 1: schema is not a JSON Schema |

  Scenario: A file that is no list
    When an operator runs "bucket import -"
      """
      {"name": "foo"}
      """
    Then the command fails with "JSON list"

  Scenario: A file that there is not
    When an operator runs "bucket import nowhere.json"
    Then the command fails with "nowhere.json"

  Scenario: Two buckets cannot have one second address
    Given a bucket "foo"
    When an operator runs "bucket import -"
      """
      [{"name": "bar", "data_group": "foo", "data_type": "records"}]
      """
    Then the command fails with "foo"
    When I read "/bar?group_by=kind"
    Then the status is 404

  Scenario: A running app sees a new bucket at once
    When I read "/foo"
    Then the status is 404
    Given a bucket "foo"
    When I read "/foo"
    Then the status is 200

  Scenario: Creating a bucket shows its token, once
    When an operator runs "bucket create foo --data-group foo --data-type records --raw-queries-allowed"
    Then the command succeeds
    When I post to "/data/foo/records" with the token that was shown
      """
      {"size": 1}
      """
    Then it is accepted
    And 1 record is stored in "foo"

  Scenario: A bucket is created with its configuration
    When an operator runs "bucket create foo --realtime --capped-size 5000 --unpublished --auto-ids kind,size --max-age-expected 60"
    And an operator runs "bucket show foo"
    Then the command shows the JSON
      """
      [{
        "name": "foo", "data_group": null, "data_type": null, "raw_queries_allowed": false, "queryable": true,
        "published": false, "realtime": true, "capped_size": 5000, "auto_ids": ["kind", "size"],
        "upload_format": "csv", "upload_filters": [], "max_age_expected": 60, "schema": null
      }]
      """

  Scenario: A bucket has the defaults of Backdrop
    When an operator runs "bucket create foo"
    And an operator runs "bucket show foo"
    Then the command shows the JSON
      """
      [{
        "name": "foo", "data_group": null, "data_type": null, "raw_queries_allowed": false, "queryable": true,
        "published": true, "realtime": false, "capped_size": null, "auto_ids": "<any>",
        "upload_format": "csv", "upload_filters": [], "max_age_expected": 2678400, "schema": null
      }]
      """

  Scenario: A bucket is created once
    Given a bucket "foo"
    When an operator runs "bucket create foo"
    Then the command fails with "foo"

  Scenario: What is shown can be imported
    Given a bucket "foo"
    When an operator runs "bucket show foo"
    And an operator imports what was shown
    Then the command shows
      """
      1 bucket imported
      """
    When I post to "/foo"
      """
      {"size": 1}
      """
    Then it is accepted

  Scenario: A new token takes the place of the old one
    Given a bucket "foo"
    When an operator runs "bucket token foo"
    Then the command succeeds
    When I post to "/foo" with the token that was shown
      """
      {"size": 1}
      """
    Then it is accepted
    When I post to "/foo"
      """
      {"size": 1}
      """
    Then the status is 401

  Scenario: With an overlap, the old token and the new one are valid
    Given a bucket "foo"
    When an operator runs "bucket token foo --overlap 3600"
    Then the command succeeds
    When I post to "/foo" with the token that was shown
      """
      {"size": 1}
      """
    Then it is accepted
    When I post to "/foo"
      """
      {"size": 2}
      """
    Then it is accepted
    And 2 records are stored in "foo"

  Scenario: A new token without an overlap ends the overlap there is
    Given a bucket "foo"
    When an operator runs "bucket token foo --overlap 3600"
    And an operator runs "bucket token foo"
    And I post to "/foo"
      """
      {"size": 1}
      """
    Then the status is 401

  Scenario Outline: Without a token a bucket takes no records: <before>
    Given a bucket "foo"
    When an operator runs "bucket <before> foo"
    And an operator runs "bucket token foo --revoke"
    Then the command shows
      """
      bucket "foo" has no token any more
      """
    When I post to "/foo"
      """
      {"size": 1}
      """
    Then the status is 401
    When an operator runs "bucket list"
    Then the command shows
      """
      foo foo/records raw queries allowed, no token
      """

    Examples:
      | before               |
      | show                 |
      | token --overlap 3600 |

  Scenario Outline: What cannot be asked for a token: <options>
    Given a bucket "foo"
    When an operator runs "bucket token foo <options>"
    Then the command fails with "<message>"
    When I post to "/foo"
      """
      {"size": 1}
      """
    Then it is accepted

    Examples:
      | options               | message    |
      | --overlap 60 --revoke | --revoke   |
      | --overlap 0           | --overlap  |
      | --overlap soon        | --overlap  |

  Scenario: Deleting a bucket
    Given a bucket "foo" with the records of "licensing.json"
    When an operator runs "bucket delete foo"
    Then the command succeeds
    When I read "/foo"
    Then the status is 404
    When I post to "/foo"
      """
      {"size": 1}
      """
    Then the status is 404

  Scenario: A deleted bucket leaves nothing to one of the same name
    Given a bucket "foo" with the records of "licensing.json"
    When an operator runs "bucket delete foo"
    Given a bucket "foo"
    Then nothing is stored in "foo"

  Scenario Outline: There is no bucket to <command>
    When an operator runs "bucket <command> foo"
    Then the command fails with "foo"

    Examples:
      | command              |
      | show                 |
      | token                |
      | token --overlap 3600 |
      | token --revoke       |
      | delete               |

  Scenario: Tokens are not stored as they are
    Given a bucket "foo" with the settings
      | bearer_token | a-token-to-look-for |
    Then the database has no "a-token-to-look-for"
