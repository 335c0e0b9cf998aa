using Opt.Torch.Tests;

// The tests; or what a test runs in a process of its own: a rank to kill, or kernels for another instruction set.
return args switch
{
    [RankProcess.Command, .. var place] => RankProcess.Run(place),
    [InstructionSetTests.Command] => InstructionSetTests.Print(),
    _ => await Xunit.Runner.InProc.SystemConsole.ConsoleRunner.Run(args),
};
