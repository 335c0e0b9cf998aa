using System.Runtime.CompilerServices;
using Opt.Trainer.Tests.Agent;
using Opt.Trainer.Tests.Checkpoints;

namespace Opt.Trainer.Tests;

/// <summary>Lets the test program play other programs (a worker, a writer to be killed) when it starts itself with a role in its environment.</summary>
internal static class Roles
{
    public const string Variable = "OPT_TEST_ROLE";

    /// <summary>The command line of this program.</summary>
    public static IReadOnlyList<string> Program => ["dotnet", typeof(Roles).Assembly.Location];

#pragma warning disable CA2255   // the point is to run before the test runner's Main
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void Play()
    {
        switch (Environment.GetEnvironmentVariable(Variable))
        {
            case "worker": Environment.Exit(ScriptedWorker.Run()); break;
            case "writer": Environment.Exit(CheckpointWriter.Run()); break;
        }
    }
}
