"""What the processes of a case left -> metrics -> `Results`."""
