using Opt.Trainer.Tests.Agent;
using Opt.Trainer.Tests.Checkpoints;
using Xunit.Runner.InProc.SystemConsole;

namespace Opt.Trainer.Tests;

/// <summary>The entry point: the test runner, or another program (a worker, a writer to be killed) when a test starts it with a role in its environment.</summary>
internal static class Roles
{
    public const string Variable = "OPT_TEST_ROLE";

    /// <summary>The command line of this program.</summary>
    public static IReadOnlyList<string> Program => ["dotnet", typeof(Roles).Assembly.Location];

    public static Task<int> Main(string[] args) => Environment.GetEnvironmentVariable(Variable) switch
    {
        "worker" => Task.FromResult(ScriptedWorker.Run()),
        "scenario" => ScenarioWriter.RunAsync(),
        "writer" => CheckpointWriter.RunAsync(),
        _ => ConsoleRunner.Run(args),
    };
}
