Feature: Checking what is stored

  An operator reads everything, and is told whether it is as it was stored.

  Scenario: Nothing is damaged
    Given a bucket "foo" with the records of "licensing.json"
    When an operator runs "check"
    Then the command succeeds
    And the command mentions "everything is as it was stored"
    And the command does not mention "DAMAGED"
