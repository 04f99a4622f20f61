Feature: Realtime buckets that keep only so many bytes

  Scenario: The oldest records make way for new ones
    Given a bucket "live" with the settings
      | realtime    | true  |
      | capped_size | 2000  |
    And "live" holds the records
      | _id    | note |
      | first  | a    |
      | second | b    |
    When I post a record of 1900 bytes to "/live"
    Then it is accepted
    And "live" now holds
      | _id    |
      | second |
      | long   |

  Scenario: Records that fit stay
    Given a bucket "live" with the settings
      | realtime    | true   |
      | capped_size | 100000 |
    When I post 100 records to "/live"
    Then 100 records are stored in "live"

  Scenario: The oldest of one request go first
    Given a bucket "live" with the settings
      | realtime    | true |
      | capped_size | 1000 |
    When I post 500 records to "/live"
    Then it is accepted
    And "live" holds fewer than 100 records, with the last of 500

  Scenario: A bucket that is not realtime keeps everything
    Given a bucket "slow" with the settings
      | capped_size | 1000 |
    When I post 500 records to "/slow"
    Then 500 records are stored in "slow"

  Scenario: A realtime bucket without a cap keeps everything
    Given a bucket "live" with the settings
      | realtime | true |
    When I post 500 records to "/live"
    Then 500 records are stored in "live"
