using Microsoft.Extensions.Logging;
using Opt.Trainer.Agent.Processes;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Agent;

/// <summary>What an agent works with.</summary>
/// <param name="Store">Null when the job names none.</param>
/// <param name="Output">The pod's log, for what workers print.</param>
internal sealed record AgentParts(ICheckpointStore? Store, IRendezvousHost Rendezvous, Spawner Spawner, TextWriter Output, TimeProvider Time, ILogger Logger);
