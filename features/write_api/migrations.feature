Feature: Bringing a database up to date

  An operator runs one command after an upgrade, and on a database of the original Backdrop.

  Scenario: A new database is up to date
    Given a bucket "foo" with the records of "licensing.json"
    When an operator runs "migrate"
    Then the command shows
      """
      the database is up to date
      """
    When an operator runs "migrate --dry-run"
    Then the command shows
      """
      the database is up to date
      """

  @mongodb
  Scenario: A database of the original Backdrop
    Given a database of the original Backdrop
    When an operator runs "migrate --dry-run"
    Then the command shows
      """
      1 keep bearer tokens as hashes only 1 to do
      2 give records their periods and _updated_at 2 to do
      3 make the indexes 1 to do
      nothing is done yet; run it without --dry-run
      """
    When an operator runs "migrate"
    Then the command shows
      """
      1 keep bearer tokens as hashes only 1 of 1 done
      2 give records their periods and _updated_at 2 of 2 done
      3 make the indexes 1 of 1 done
      the database is up to date now
      """
    When an operator runs "migrate"
    Then the command shows
      """
      the database is up to date
      """
