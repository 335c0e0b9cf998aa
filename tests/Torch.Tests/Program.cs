using Opt.Torch.Tests;

// The tests, or one rank of a group for a test to kill.
return args is [RankProcess.Command, .. var place] ? RankProcess.Run(place) : await Xunit.Runner.InProc.SystemConsole.ConsoleRunner.Run(args);
