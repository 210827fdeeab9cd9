"""The add-on without Blender: what it knows, what happens to it, what it does about it. Nothing here imports bpy.

state       everything the add-on knows, as frozen dataclasses
events      what can happen: the user, the backend process, a message, time, the scene side
effects     what is to be done: process, socket, messages (the engine does these) and the scene (the add-on's bpy side)
transition  (state, event) -> (state, effects), pure; backend_rules and job_rules are its two halves
engine      runs it: owns state, process and socket; ``tick`` is to be called from a timer and never blocks
client, process, ready_files, locate   the socket; the backend process and its files; which command starts it
source, cost, words     footage -> job; what a run will cost; every phase as a sentence and a button

pyzmq is imported only when a connection is opened; importing the rest cannot fail.
"""
