Feature: Settings

  Scenario Outline: <name> cannot be <value>
    Given the setting <name> is "<value>"
    When an operator starts the <app> app
    Then the command fails with "<name>"
    And the command fails with "<allowed>"

    Examples:
      | name                      | value        | app   | allowed                 |
      | BACKDROP_DATABASE_URL     | postgres://x | write | sqlite://               |
      | BACKDROP_ADDRESS          | here         | read  | an IP address           |
      | BACKDROP_READ_PORT        | 70000        | read  | a port, 1 to 65535      |
      | BACKDROP_WRITE_PORT       | x            | write | a port, 1 to 65535      |
      | BACKDROP_READ_PORT        | x            | write | a port, 1 to 65535      |
      | BACKDROP_MANAGEMENT_TOKEN | two words    | write | text without white space |
      | BACKDROP_MAX_BODY_BYTES   | -1           | write | a number of bytes       |
      | BACKDROP_MAX_BODY_BYTES   | 0            | write | 1 to 4294967295         |
      | BACKDROP_MAX_ROWS         | 0            | read  | 1 to 4294967295         |
      | BACKDROP_LOG              | a=b=c        | read  | a tracing filter        |
      | BACKDROP_LOG_FORMAT       | xml          | read  | text or json            |

  Scenario: A port of nought is no port
    Given the setting BACKDROP_READ_PORT is "0"
    When an operator starts the read app
    Then the command fails with "BACKDROP_READ_PORT"

  Scenario: A secret that is wrong is not shown
    Given the setting BACKDROP_MANAGEMENT_TOKEN is "very secret"
    When an operator starts the write app
    Then the command fails with "BACKDROP_MANAGEMENT_TOKEN"
    And the command does not mention "very secret"

  Scenario: A password in a database URL is not shown
    Given the setting BACKDROP_DATABASE_URL is "postgres://name:very-secret@host/backdrop"
    When an operator starts the read app
    Then the command fails with "BACKDROP_DATABASE_URL"
    And the command does not mention "very-secret"

  Scenario: A command is stopped by a wrong setting too
    Given the setting BACKDROP_LOG_FORMAT is "xml"
    When an operator runs "bucket list"
    Then the command fails with "BACKDROP_LOG_FORMAT"

  Scenario: A name in the settings file that is no setting
    Given a file "backdrop.toml"
      """
      raed_port = 3038
      """
    When an operator starts the read app
    Then the command fails with "raed_port"
    And the command fails with "read_port"

  Scenario: The settings file is used
    Given a bucket "foo"
    And a file "backdrop.toml"
      """
      max_body_bytes = 1000
      """
    When I post a record of 1001 bytes to "/foo"
    Then the status is 413

  Scenario: A variable wins over the settings file
    Given a bucket "foo"
    And a file "backdrop.toml"
      """
      max_body_bytes = 1000
      """
    And the setting BACKDROP_MAX_BODY_BYTES is "2000"
    When I post a record of 1001 bytes to "/foo"
    Then it is accepted

  Scenario: Another settings file
    Given a bucket "foo"
    And a file "other.toml"
      """
      max_body_bytes = 1000
      """
    And the setting BACKDROP_CONFIG is "other.toml"
    When I post a record of 1001 bytes to "/foo"
    Then the status is 413

  Scenario: A settings file that there is not
    Given the setting BACKDROP_CONFIG is "nowhere.toml"
    When an operator starts the write app
    Then the command fails with "BACKDROP_CONFIG"

  Scenario Outline: The <app> app explains itself
    When an operator asks the <app> app for help
    Then the command succeeds
    And the command mentions "--port"

    Examples:
      | app   |
      | read  |
      | write |

  @sqlite
  Scenario: A database in a folder that is not there yet
    Given the setting BACKDROP_DATABASE_URL is "sqlite://new/folder/other.db"
    And a bucket "foo"
    When I read "/foo"
    Then the status is 200
    And there is a file "new/folder/other.db"

  @sqlite
  Scenario: By default the database is in the folder where the programs are started
    Given the setting BACKDROP_DATABASE_URL is not set
    And a bucket "foo"
    When I read "/foo"
    Then the status is 200
    And there is a file "data/backdrop.db"

  Scenario: Settings may say which ports to listen on
    Given the ports come from the settings
    And a bucket "foo" with the records of "licensing.json"
    When I read "/foo"
    Then there are 8 rows
