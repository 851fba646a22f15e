// What a gateway prints at its start belongs to the test that started it, not between the results.
[assembly: CaptureConsole]
