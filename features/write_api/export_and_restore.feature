Feature: Moving everything to another store

  Scenario: What is exported from one store is restored into another
    Given a bucket "foo" with the records of "licensing.json"
    And a bucket "bar" with the records
      | _id | kind | size |
      | b1  | x    | 1    |
      | b2  | y    | 2.5  |
    When an operator runs "user grant ann@example.org foo bar"
    And an operator runs "export dump"
    Then the command shows
      """
      exported 2 buckets, 10 records, 1 user, 6 audit entries to dump
      """
    When another store takes the place of this one
    And an operator runs "bucket list"
    Then the command shows nothing
    When an operator runs "restore dump"
    Then the command shows
      """
      restored 2 buckets, 10 records, 1 user, 6 audit entries from dump
      """
    And 8 records are stored in "foo"
    And "bar" now holds
      | _id | kind | size |
      | b1  | x    | 1    |
      | b2  | y    | 2.5  |
    When an operator runs "user list"
    Then the command shows
      """
      ann@example.org foo bar
      """
    When I post to "/foo"
      """
      {"size": 1}
      """
    Then it is accepted

  Scenario: There and back again
    Given a bucket "foo" with the records of "licensing.json"
    When an operator runs "export dump"
    And another store takes the place of this one
    And an operator runs "restore dump"
    And an operator runs "export back"
    And the first store is back in its place
    And an operator runs "bucket delete foo"
    And an operator runs "restore back"
    Then 8 records are stored in "foo"

  Scenario: A token that retires is valid in the other store too
    Given a bucket "foo"
    When an operator runs "bucket token foo --overlap 3600"
    And an operator runs "export dump"
    And another store takes the place of this one
    And an operator runs "restore dump"
    And I post to "/foo"
      """
      {"size": 1}
      """
    Then it is accepted

  Scenario: The audit log moves once, with the rest or alone
    Given a bucket "foo"
    When an operator runs "export dump"
    And another store takes the place of this one
    And an operator runs "restore dump --exclude _audit"
    Then the command shows
      """
      restored 1 bucket, 0 records, 0 users from dump
      """
    When an operator runs "restore dump --only _audit"
    And an operator runs "restore dump --only _audit"
    Then the command shows
      """
      restored 0 buckets, 0 records, 0 users, 2 audit entries from dump
      """
    When an operator runs "export again"
    Then the command shows
      """
      exported 1 bucket, 0 records, 0 users, 2 audit entries to again
      """

  Scenario: A record keeps the time at which it was last written
    Given a bucket "foo" with the records
      | _id | size |
      | aa  | 1    |
    When an operator notes when the records of "foo" were written
    And an operator runs "export dump"
    And another store takes the place of this one
    And an operator runs "restore dump"
    Then the records of "foo" were written when they were before

  Scenario: A dump has the layout of mongodump
    Given a bucket "foo" with the records of "licensing.json"
    When an operator runs "export dump --db stats"
    Then there is a file "dump/stats/foo.bson"
    And there is a file "dump/stats/foo.metadata.json"
    And there is a file "dump/stats/buckets.bson"
    And there is a file "dump/stats/users.bson"
    And there is a file "dump/manifest.json"
    When an operator runs "restore dump"
    Then the command fails with "--db names another: stats"
    When an operator runs "restore dump --db stats"
    Then the command succeeds

  Scenario: A compressed dump
    Given a bucket "foo" with the records of "licensing.json"
    When an operator runs "export dump --gzip"
    Then there is a file "dump/backdrop/foo.bson.gz"
    And there is a file "dump/backdrop/foo.metadata.json.gz"
    When another store takes the place of this one
    And an operator runs "restore dump"
    Then the command shows
      """
      restored 1 bucket, 8 records, 0 users, 2 audit entries from dump
      """

  Scenario: No file of a dump has a token
    Given a bucket "foo" with the records of "licensing.json"
    When an operator runs "export dump"
    Then the command does not mention "tok-foo"
    And no file in "dump/backdrop" has "tok-foo"

  Scenario: An export needs a folder of its own
    Given a bucket "foo"
    When an operator runs "export dump"
    And an operator runs "export dump"
    Then the command fails with "dump is not empty"

  Scenario: Records are added, and those with the same id are replaced
    Given a bucket "foo" with the records
      | _id | size |
      | aa  | 1    |
    When an operator runs "export dump"
    Given "foo" holds the records
      | _id | size |
      | aa  | 2    |
      | bb  | 3    |
    When an operator runs "restore dump"
    Then the command succeeds
    And "foo" now holds
      | _id | size |
      | aa  | 1    |
      | bb  | 3    |
    When an operator runs "restore dump --drop"
    Then the command succeeds
    And "foo" now holds
      | _id | size |
      | aa  | 1    |

  Scenario: What is not in the dump stays as it is
    Given a bucket "foo" with the records of "licensing.json"
    When an operator runs "export dump"
    Given a bucket "bar" with the records
      | _id |
      | aa  |
    When an operator runs "restore dump --drop"
    Then the command succeeds
    And 1 record is stored in "bar"

  Scenario: Saying what would be done
    Given a bucket "foo" with the records of "licensing.json"
    When an operator runs "export dump"
    And another store takes the place of this one
    And an operator runs "restore dump --dry-run"
    Then the command shows
      """
      foo 8 records new
      would restore 1 bucket, 8 records, 0 users, 2 audit entries from dump; nothing is stored
      """
    When an operator runs "bucket list"
    Then the command shows nothing

  Scenario: Some collections only
    Given a bucket "foo" with the records of "licensing.json"
    And a bucket "bar"
    And a bucket "baz"
    When an operator runs "export dump --exclude baz"
    And another store takes the place of this one
    And an operator runs "restore dump --only foo"
    Then the command shows
      """
      restored 1 bucket, 8 records, 0 users from dump
      """
    When an operator runs "restore dump --only baz"
    Then the command fails with "there is no collection "

  Scenario Outline: A damaged dump stores nothing: <file>
    Given a bucket "foo" with the records of "licensing.json"
    When an operator runs "export dump <options>"
    And the end of the file "dump/<file>" is lost
    And another store takes the place of this one
    And an operator runs "restore dump"
    Then the command fails with "dump/<file>"
    And the command fails with "<message>"
    When an operator runs "bucket list"
    Then the command shows nothing

    Examples:
      | options | file                  | message             |
      |         | backdrop/foo.bson     | the file is cut off |
      | --gzip  | backdrop/foo.bson.gz  | the file is cut off |
      |         | backdrop/buckets.bson | the file is cut off |
      |         | manifest.json         | it is damaged       |

  Scenario: A dump that lacks a file
    Given a bucket "foo" with the records of "licensing.json"
    When an operator runs "export dump"
    And the file "dump/backdrop/foo.bson" is lost
    And an operator runs "restore dump"
    Then the command fails with "the file of the collection foo, which was exported, is missing"

  Scenario: A dump that there is not
    When an operator runs "restore nowhere"
    Then the command fails with "nowhere"

  Scenario: A database of the original Backdrop
    Given a dump "dump" of the original Backdrop, of a bucket "foo" with 3 records
    When an operator runs "restore dump"
    Then the command shows
      """
      restored 1 bucket, 3 records, 0 users from dump
      """
    And 3 records are stored in "foo"
    And every record in "foo" has an id of its own
    When I post to "/foo"
      """
      {"size": 1}
      """
    Then it is accepted

  Scenario: A database of the original Backdrop without its configurations
    Given a dump "dump" of the original Backdrop, of a bucket "foo" with 3 records
    When the file "dump/backdrop/buckets.bson" is lost
    And an operator runs "restore dump"
    Then the command fails with "there is no bucket for the collections foo"
    Given a bucket "foo"
    When an operator runs "restore dump"
    Then the command succeeds
    And 3 records are stored in "foo"
